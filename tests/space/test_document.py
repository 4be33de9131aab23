"""The public form of a tree."""

import json
from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import independent_parameters
from taskgraft.space.document import FOUND, read_tree_document, tree_document
from taskgraft.space.synthesis import synthesize
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.space import paper

CNN8 = get_template("cnn8")
TREE = synthesize(paper.matrix(), 0.02, CNN8)


def test_the_published_tree_in_its_public_form() -> None:
    leaves = {name: {"tasks": [name], "blocks": [8, 8], "children": []} for name in paper.NAMES}
    assert tree_document(TREE, CNN8, 0.02) == {
        "schema": "taskgraft.tree/1",
        "template": "cnn8",
        "ar_threshold": 0.02,
        "root": {
            "tasks": ["GC", "AC", "SCR", "VAD"],
            "blocks": [0, 6],
            "children": [
                {"tasks": ["GC", "AC"], "blocks": [6, 8], "children": [leaves["GC"], leaves["AC"]]},
                {"tasks": ["SCR", "VAD"], "blocks": [6, 8], "children": [leaves["SCR"], leaves["VAD"]]},
            ],
        },
        "encoder_parameters": 176 + 2336 + 2774 + 3633 + 2 * 4011 + 2 * 2 * 4011,
        "parameters": None,
        "independent_parameters": None,
    }


def test_sizes_with_heads_where_the_tasks_are_known() -> None:
    document = tree_document(TREE, CNN8, 0.02, paper.TASKS)
    assert document["parameters"] == pytest.approx(52_600, rel=0.02)
    assert document["independent_parameters"] == independent_parameters(CNN8, paper.TASKS)


def test_independent_models_are_those_of_the_trees_tasks() -> None:
    document = tree_document(BranchTree.flat(["GC", "AC"], 0, 8), CNN8, 0.02, paper.TASKS)
    assert document["independent_parameters"] == document["parameters"]


@pytest.mark.parametrize("tasks", [None, paper.TASKS])
def test_is_read_back_from_json(tasks: Any) -> None:
    document = tree_document(TREE, CNN8, 0.02, tasks)
    read = read_tree_document(json.loads(json.dumps(document)))
    assert (read.tree, read.template, read.ar_threshold) == (TREE, CNN8, 0.02)
    assert read.parameters == document["parameters"]
    assert read.independent_parameters == document["independent_parameters"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema": "taskgraft.tree/2"}, "schema"),
        ({"template": None}, "template"),
        ({"template": "cnn9"}, "template"),
        ({"ar_threshold": 1}, "ar_threshold"),
        ({"ar_threshold": "0.02"}, "ar_threshold"),
        ({"ar_threshold": True}, "ar_threshold"),
        ({"ar_threshold": float("nan")}, "ar_threshold"),
        ({"parameters": -1}, "parameters"),
        ({"independent_parameters": 1.5}, "independent_parameters"),
        ({"root": None}, "root"),
        ({"root": {"tasks": ["a"], "blocks": [0, 5], "children": []}}, "root.blocks"),
    ],
)
def test_a_broken_document_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_tree_document(tree_document(TREE, CNN8, 0.02) | change)
    assert [fault.where for fault in caught.value.faults] == [where]


def test_all_broken_keys_are_reported_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_tree_document({})
    assert [fault.where for fault in caught.value.faults] == ["schema", "template", "ar_threshold"]
    with pytest.raises(InvalidInput, match="object"):
        read_tree_document([])


def test_a_threshold_that_is_none_is_not_written() -> None:
    with pytest.raises(InvalidInput, match="ar_threshold"):
        tree_document(TREE, CNN8, 1.0)


def test_the_tree_that_was_found_may_be_another_one_than_the_models() -> None:
    columns, found = BranchTree.flat(["a", "b"], 0, 8), BranchTree.flat(["a", "b"], 5, 8)
    document = tree_document(columns, CNN8, 0.1)
    assert read_tree_document(document).found == columns
    read = read_tree_document({**document, FOUND: found.to_json()})
    assert (read.tree, read.found) == (columns, found)
    with pytest.raises(InvalidInput):
        read_tree_document({**document, FOUND: []})
