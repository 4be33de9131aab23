"""A comparison's table as its pipeline makes it: rows of every kind of part."""

from taskgraft.search.study.comparison_table import ComparisonTable, Refusal, Row, RowPart, RowTask
from taskgraft.space.tree import BranchTree

TASKS = ("gender", "age|group")


def row(name: str, ar: float, parameters: int, *parts: RowPart, note: str = "") -> Row:
    tasks = tuple(RowTask(task, "macro_f1", 0.9 - ar, (0.8 - ar, 0.95), ar) for task in TASKS[:1])
    tasks += (RowTask(TASKS[1], "accuracy", 0.4, (0.3, 0.5), None),)
    whole = RowPart(TASKS, TASKS, BranchTree.flat(TASKS, 6, 8).to_json())
    return Row(
        "tree",
        name,
        tasks,
        ar,
        (ar / 2, ar + 0.02),
        parameters,
        4 * parameters,
        10**6,
        2,
        7,
        12.34,
        parts or (whole,),
        note,
        nominal_parameters=parameters,
        packed_bytes=4 * parameters,
    )


TABLE = ComparisonTable(
    0.02,
    (
        row("independent", 0.0, 120_000),
        row("tree", 0.019, 52_600, note="split, after block 6"),
        row("{gender} {age|group}", 0.02, 52_600, RowPart(TASKS, TASKS[:1], {}), RowPart(TASKS[1:], TASKS[1:], {})),
    ),
    (Refusal("hoa", "too many tasks"),),
    ("figures are of the test split",),
)
