"""Trees from matrices that were measured already, and what trees weigh."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.document import tree_document
from taskgraft.space.gates import Over, TaskGate
from taskgraft.space.oracle import exhaustive_tree
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.api.cli.commands import taskgraft, write
from tests.evaluators.datasets.corpora import sound_corpus
from tests.space import paper

CNN8 = get_template("cnn8")
TASKS_YAML = "tasks:\n" + "".join(
    f"  - {{name: {task.name}, kind: {task.kind}, classes: {task.classes}}}\n" for task in paper.TASKS
)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write(tmp_path / "the pairs.csv", paper.PAIRS_CSV)


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    return write(tmp_path / "tasks.yaml", TASKS_YAML)


@pytest.mark.parametrize("threshold", [0.0, 0.004, 0.0085, 0.01, 0.012, 0.02, 0.03, 0.1, 0.99])
def test_the_tree_is_the_one_that_brute_force_finds(pairs: Path, tasks: Path, threshold: float) -> None:
    matrix = paper.matrix()
    expected = exhaustive_tree(matrix.compatibility(threshold), CNN8, matrix)
    said = taskgraft("synthesize", pairs, "--threshold", str(threshold), "--json")
    assert said.code == 0
    assert said.document == tree_document(expected, CNN8, threshold)
    said = taskgraft("synthesize", pairs, "--threshold", str(threshold), "--tasks", tasks, "--json")
    assert said.document == tree_document(expected, CNN8, threshold, paper.TASKS)


def test_people_see_the_published_tree(pairs: Path, tasks: Path) -> None:
    said = taskgraft("synthesize", pairs, "--threshold", "0.02", "--tasks", tasks)
    assert said.out.splitlines()[:7] == [
        "GC, AC, SCR, VAD  blocks 1-6",
        "├── GC, AC  blocks 7-8",
        "│   ├── GC  no block + head",
        "│   └── AC  no block + head",
        "└── SCR, VAD  blocks 7-8",
        "    ├── SCR  no block + head",
        "    └── VAD  no block + head",
    ]
    assert said.out.splitlines()[-1] == f"independent models: {independent_parameters(CNN8, paper.TASKS):,}"


@pytest.mark.parametrize(
    ("rows", "arguments", "words"),
    [
        ("GC,AC,4,0.01\n", ["--threshold", "nan"], "threshold"),
        ("GC,AC,4,0.01\n", ["--threshold", "1"], "threshold"),
        ("GC,AC,4,0.01\n", ["--threshold", "0", "--template", "cnn9"], "cnn9"),
        ("GC,AC,four,0.01\nGC,AC,4,much\n", ["--threshold", "0"], "line 2: depth is a whole number"),
        ("GC,AC,four,0.01\nGC,AC,4,much\n", ["--threshold", "0"], "line 3: ar: a number; got 'much'"),
        ("", ["--threshold", "0"], "no rows"),
    ],
)
def test_bad_pairs_are_told(tmp_path: Path, rows: str, arguments: Sequence[str], words: str) -> None:
    said = taskgraft("synthesize", write(tmp_path / "pairs.csv", f"task_a,task_b,depth,ar\n{rows}"), *arguments)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""


def test_pairs_of_other_tasks_are_told(pairs: Path, tmp_path: Path) -> None:
    tasks = write(tmp_path / "tasks.yaml", "tasks: [{name: GC}, {name: other}]")
    said = taskgraft("synthesize", pairs, "--threshold", "0.02", "--tasks", tasks)
    assert said.code == 2
    assert "line 2: the tasks are ['GC', 'other']; got 'AC'" in said.err


def size(*arguments: str | Path) -> dict[str, Any]:
    said = taskgraft("size", *arguments, "--json")
    assert said.code == 0, said.err
    document: dict[str, Any] = said.document
    return document


@pytest.mark.parametrize("shared", range(9))
def test_flat_sharing_has_the_published_sizes(tasks: Path, shared: int) -> None:
    sizes = size(tasks, "--flat", str(shared))
    cost = tree_cost(BranchTree.flat(paper.NAMES, shared, 8), CNN8, paper.TASKS)
    assert sizes == {
        "parameters": cost.parameters,
        "encoder_parameters": cost.encoder_parameters,
        "independent_parameters": independent_parameters(CNN8, paper.TASKS),
        "macs_per_second": cost.macs_per_second,
    }
    if shared in paper.FLAT_PARAMETERS:
        assert sizes["parameters"] == pytest.approx(paper.FLAT_PARAMETERS[shared], rel=0.02)


def test_tasks_alone_are_independent_models(tasks: Path) -> None:
    assert size(tasks) == size(tasks, "--flat", "0")


def test_one_event_is_two_classes(tmp_path: Path) -> None:
    one, two = (
        write(tmp_path / f"{classes}.yaml", f"tasks: [{{name: vad, kind: frames, classes: {classes}}}]")
        for classes in (1, 2)
    )
    assert size(one) == size(two)


@pytest.mark.parametrize("shared", ["-1", "9"])
def test_no_more_blocks_are_shared_than_there_are(tasks: Path, shared: str) -> None:
    said = taskgraft("size", tasks, "--flat", shared)
    assert (said.code, said.err) == (2, f"error: --flat: cnn8 has 8 blocks to share; got {shared}\n")


def test_a_study_knows_its_classes_by_its_data(tmp_path: Path) -> None:
    sound_corpus(tmp_path / "corpus", ["train-cat.wav,0.01,0.05,meow"])
    study = "tasks: [{name: animal, dataset: corpus/manifest.csv, target: animal}]\n"
    plain = write(tmp_path / "tasks.yaml", "tasks: [{name: animal, classes: 2}]")
    assert size(write(tmp_path / "study.yaml", study)) == size(plain)
    full = "name: my study\nar_threshold: 2\n" + study
    assert taskgraft("size", write(tmp_path / "bad.yaml", full)).code == 2


@pytest.fixture
def tree(pairs: Path, tasks: Path, tmp_path: Path) -> Path:
    """The paper's tree with its sizes."""
    said = taskgraft("synthesize", pairs, "--threshold", "0.02", "--tasks", tasks, "--json")
    return write(tmp_path / "tree.json", said.out)


def test_a_tree_with_its_tasks_is_weighed_anew(tree: Path, tasks: Path) -> None:
    sizes = size(tree, "--tasks", tasks)
    document = json.loads(tree.read_text())
    assert sizes["parameters"] == document["parameters"] == pytest.approx(52_600, rel=0.02)
    assert sizes["independent_parameters"] == document["independent_parameters"]
    assert sizes["macs_per_second"] > 0
    assert size(tree, "--tasks", tasks, "--flat", "8") == size(tasks, "--flat", "8")


def test_a_tree_alone_tells_what_is_written_in_it(tree: Path) -> None:
    document = json.loads(tree.read_text())
    sizes = size(tree)
    assert [sizes[name] for name in ("parameters", "encoder_parameters", "independent_parameters")] == [
        document[name] for name in ("parameters", "encoder_parameters", "independent_parameters")
    ]
    assert sizes["macs_per_second"] is None
    assert size(tree, "--flat", "0")["parameters"] == document["independent_parameters"]
    assert size(tree, "--flat", "8")["parameters"] is None
    assert "macs per second: unknown" in taskgraft("size", tree).out


def test_tasks_that_the_tree_does_not_have_weigh_nothing(tree: Path, tasks: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "more.yaml", TASKS_YAML + "  - {name: extra, classes: 100}\n")
    assert size(tree, "--tasks", more) == size(tree, "--tasks", tasks)
    fewer = write(tmp_path / "fewer.yaml", "tasks: [{name: GC}]")
    said = taskgraft("size", tree, "--tasks", fewer)
    assert said.code == 2
    assert "missing" in said.err


def test_a_tree_that_is_none_is_told(tmp_path: Path) -> None:
    said = taskgraft("size", write(tmp_path / "tree.json", '{"schema": "taskgraft.tree/2", "root": {}}'))
    assert said.code == 2
    assert "schema: 'taskgraft.tree/1'" in said.err


def test_another_way_to_look_for_the_tree(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("task_a,task_b,depth,ar\na,b,8,0.01\na,c,4,0.01\nb,c,6,0.01\n")
    command = ["synthesize", str(pairs), "--threshold", "0.02", "--json", "--method"]
    sizes = {
        method: taskgraft(*command, method).document["encoder_parameters"]
        for method in ("recursive", "exact", "compact")
    }
    assert sizes["exact"] == sizes["compact"] <= sizes["recursive"]
    assert taskgraft(*command, "guess").code == 2


def test_gates_of_the_studys_algorithm_are_counted(tasks: Path, tmp_path: Path) -> None:
    gated = replace(CNN8, gate=TaskGate(Over.CHANNELS))
    algorithm = "training: {algorithm: {name: task-attention, over: channels}}\n"
    sizes = size(write(tmp_path / "gated.yaml", algorithm + TASKS_YAML), "--flat", "6")
    cost = tree_cost(BranchTree.flat(paper.NAMES, 6, 8), gated, paper.TASKS)
    assert sizes == {
        "parameters": cost.parameters,
        "encoder_parameters": cost.encoder_parameters,
        "independent_parameters": independent_parameters(gated, paper.TASKS),
        "macs_per_second": cost.macs_per_second,
    }
    document = tree_document(BranchTree.flat(paper.NAMES, 6, 8), gated, 0.02, paper.TASKS)
    assert size(write(tmp_path / "tree.json", json.dumps(document)), "--tasks", tasks) == sizes
    said = taskgraft("size", write(tmp_path / "bad.yaml", algorithm.replace("channels", "all") + TASKS_YAML), "--json")
    assert said.code == 2
    assert [error["field"] for error in said.document["errors"]] == ["training.algorithm.over"]


def test_a_task_may_name_its_head(tmp_path: Path) -> None:
    sizes = [
        taskgraft(
            "size", write(tmp_path / f"{head}.yaml", f"tasks: [{{name: a, classes: 10{head}}}]"), "--json"
        ).document
        for head in ("", ", head: attention", ", head: mlp")
    ]
    assert sizes[0] == sizes[1]
    assert [one["parameters"] - one["encoder_parameters"] for one in sizes[1:]] == [3_083, 6_090]
    for head in ("gru", "nose"):
        said = taskgraft("size", write(tmp_path / "bad.yaml", f"tasks: [{{name: a, head: {head}}}]"), "--json")
        assert said.code == 2
        assert [error["field"] for error in said.document["errors"]] == ["tasks.0.head"]
