"""The source paper's published tables for its four tasks: AR of pairs by depth, and the sizes of the models compared.

Accuracy columns are left out. Tasks: gender (GC), age (AC), command (SCR), voice activity (VAD).
"""

from taskgraft.space.matrix import ReductionMatrix
from taskgraft.space.tasks import Task, TaskKind

TASKS = (Task("GC", classes=2), Task("AC", classes=3), Task("SCR", classes=35), Task("VAD", kind=TaskKind.FRAMES))
NAMES = tuple(task.name for task in TASKS)

_PAIRS = {
    ("GC", "AC"): (0.023, 0.006, 0.009, 0.012, 0.010),
    ("GC", "SCR"): (0.004, 0.004, 0.008, 0.008, 0.012),
    ("GC", "VAD"): (0.000, 0.000, 0.004, 0.000, 0.000),
    ("AC", "SCR"): (0.008, 0.037, 0.027, 0.020, 0.070),
    ("AC", "VAD"): (0.018, 0.020, 0.017, 0.024, 0.023),
    ("SCR", "VAD"): (0.005, 0.005, 0.012, 0.012, 0.013),
}
"""AR when sharing 4, 5, 6, 7 and 8 blocks."""

PAIRS_CSV = "task_a,task_b,depth,ar\n" + "".join(
    f"{first},{second},{depth},{ar}\n"
    for (first, second), row in _PAIRS.items()
    for depth, ar in enumerate(row, start=4)
)

FLAT_PARAMETERS = {0: 120_000, 4: 92_900, 5: 80_800, 6: 68_700, 7: 56_600, 8: 44_500}
"""Parameters of flat sharing, by the number of blocks shared."""

TREE_PARAMETERS = {
    (("GC", "AC"), ("SCR", "VAD")): 52_600,
    (("GC", "SCR"), ("AC", "VAD")): 60_700,
    (("GC", "VAD"), ("AC", "SCR")): 56_600,
}
"""Parameters of the tree below each first split in two pairs, at a threshold of 2 %."""


def matrix() -> ReductionMatrix:
    return ReductionMatrix.from_csv(PAIRS_CSV)
