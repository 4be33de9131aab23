"""What is printed of matrices and trees: marks with their legend, reasons, and what nobody asked about."""

from dataclasses import replace
from typing import Any

import pytest

from taskgraft.api.cli.output import console
from taskgraft.api.cli.text import show_outcome, show_tree
from taskgraft.search.study.comparison_table import Row
from taskgraft.space.branching import Branching, Cause, Reason
from taskgraft.space.document import tree_document
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.search.comparison.tables import TABLE, row

STUDY: dict[str, Any] = {
    "state": "running",
    "warnings": [],
    "reason": None,
    "result": None,
    "spec": {"ar_threshold": 0.02},
}
BROKE = Cause(Reason.BROKE, ("a", "b"), 8, 0.031, at_most=True)


def matrix(*cells: tuple[str, str, int, float, bool]) -> dict[str, Any]:
    named = [dict(zip(("task_a", "task_b", "depth", "ar", "at_most"), cell, strict=True)) for cell in cells]
    return {"tasks": ["a", "b", "c"], "cells": named}


def tree(**more: Any) -> dict[str, Any]:
    return tree_document(BranchTree.flat("ab", 6, 8), get_template("cnn8"), 0.02) | more


def printed(show: Any, *arguments: Any) -> str:
    with console.capture() as capture:
        show(*arguments)
    return capture.get()


def test_a_comparison_is_shown_by_its_table() -> None:
    asked = {"systems": ["independent"], "seeds": 1, "table": None}
    waiting = STUDY | {"comparison": asked}
    assert printed(show_outcome, waiting, matrix(), None) == "running: no table yet\n"
    said = printed(show_outcome, STUDY | {"comparison": {**asked, "table": TABLE.to_json()}}, matrix(), None)
    words = " ".join(said.split())
    assert "88.10" in words
    assert "78.1 to 95.0" in words
    assert "52,600" in words
    assert "hoa has no row: too many tasks" in words
    assert "tree: split, after block 6" in words


def test_rows_of_a_comparison_share_notes_and_show_what_pruning_left() -> None:
    rows = tuple(row(name, 0.01, 40_000, note="8 blocks shared by all") for name in ("hard", "dwa"))
    asked = {"systems": ["algorithms"], "seeds": 1}
    plain = printed(show_outcome, STUDY | {"comparison": asked | {"table": shown(rows)}}, matrix(), None)
    assert "hard, dwa: 8 blocks shared by all" in plain
    assert "packed" not in plain
    pruned = (*rows, replace(rows[0], name="pruned", nominal_parameters=9_876, packed_bytes=54_321))
    said = printed(show_outcome, STUDY | {"comparison": asked | {"table": shown(pruned)}}, matrix(), None)
    assert "9,876" in said
    assert "kB packed" in said
    assert " 54 " in said


def shown(rows: tuple[Row, ...]) -> dict[str, Any]:
    return replace(TABLE, rows=rows).to_json()


def test_marks_in_the_matrix_are_explained_where_they_stand() -> None:
    exact = printed(show_outcome, STUDY, matrix(("a", "b", 8, 0.01, False)), None)
    assert "≤" not in exact
    assert "·" not in exact
    marked = printed(show_outcome, STUDY, matrix(("a", "b", 8, 0.01, True), ("a", "c", 6, 0.01, False)), None)
    assert "≤ 1.00 %" in marked
    assert "≤  at most: the training ended early" in marked
    assert "·  not asked at this depth" in marked


def test_what_decides_stands_in_the_matrix() -> None:
    cells = matrix(("a", "b", 8, 0.015, False))
    cells["cells"][0]["ar_interval"] = [0.001, 0.031]
    confident = STUDY | {"spec": {"ar_threshold": 0.02, "decision": "confident"}}
    assert "1.50 % to 3.10 %" in printed(show_outcome, confident, cells, None)
    assert "3.10 %" not in printed(show_outcome, STUDY, cells, None)


@pytest.mark.parametrize("with_study", [True, False])
def test_a_tree_says_why_its_tasks_part_and_what_is_unknown(with_study: bool) -> None:
    told = tree(
        branchings=[Branching(("a", "b"), 6, (("a",), ("b",)), (BROKE,)).to_json()],
        unknown=[{"task_a": "a", "task_b": "b", "depths": [7]}],
        trainings_needed={"at_least": 1, "at_most": 3, "to_verify": 1},
    )
    said = printed(show_outcome, STUDY, matrix(), told) if with_study else printed(show_tree, told)
    assert "a | b part after block 6: a + b at 8 blocks lose ≤ 3.10 %" in said
    assert "not asked, and so not shared: a + b at 7 blocks" in said
    assert "1 to 3 trainings would tell" in said


def test_trees_from_elsewhere_say_nothing_of_it() -> None:
    said = printed(show_tree, tree())
    assert "part" not in said
    assert "not asked" not in said


def test_how_much_was_taken_over_is_said_with_the_result() -> None:
    from taskgraft.api.cli.text import _trainings

    assert _trainings({"trained": 3, "taken_over": 5}) == "3, and 5 taken over"
    assert _trainings({"trained": 10, "taken_over": 0}) == "10"


def test_the_training_length_is_shown_with_what_every_length_was_judged_by() -> None:
    looks = [
        {"epochs": 5, "finding": "gain", "gains": {"a": {"share": 0.04, "error": 0.01}}, "spreads": {}},
        {
            "epochs": 10,
            "finding": "long enough",
            "gains": {"a": {"share": 0.001, "error": 0.01}, "b": {"share": 0.002, "error": 0.02}},
            "spreads": {"a": {"seeds": 0.02, "clips": 0.019, "excess": 0.004}},
        },
    ]
    length = {"epochs": 10, "chosen": True, "looks": looks}
    shown = printed(show_outcome, STUDY | {"training_length": length}, matrix(), None)
    assert "trained for 10 epochs; what each length showed" in shown
    assert "4.00 % +- 1.00 (a)" in shown
    assert "0.20 % +- 2.00 (b)" in shown
    assert "0.40 % (a)" in shown
    cut = printed(show_outcome, STUDY | {"training_length": {**length, "chosen": False}}, matrix(), None)
    assert "trained for 10 epochs (not settled)" in cut
