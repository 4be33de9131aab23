"""The reduction matrix: CSV in and out, and compatibility at a threshold."""

import math
import pickle

import numpy as np
import pytest

from taskgraft.errors import InvalidInput, MalformedInput
from taskgraft.space.matrix import Cell, Decision, ReductionMatrix
from tests.space import paper

HEADER = "task_a,task_b,depth,ar\n"


def faults(text: str, tasks: list[str] | None = None) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        ReductionMatrix.from_csv(text, tasks)
    return [str(fault) for fault in caught.value.faults]


def test_reads_the_published_pairs() -> None:
    matrix = paper.matrix()
    assert matrix.tasks == paper.NAMES
    assert len(matrix.cells) == 6
    assert matrix.deepest == 8
    assert matrix.cell("AC", "SCR", 7) == Cell(0.02)


def test_a_cell_is_found_under_either_order_of_its_pair() -> None:
    matrix = ReductionMatrix(("a", "b"), {("b", "a"): {4: Cell(0.01)}})
    assert list(matrix.cells) == [("a", "b")]
    assert matrix.cell("a", "b", 4) == matrix.cell("b", "a", 4) == Cell(0.01)
    assert matrix.cell("a", "b", 5) is None
    assert matrix.cell("a", "x", 4) is None


def test_pairs_are_all_pairs_in_task_order() -> None:
    matrix = ReductionMatrix(("b", "a", "c"), {})
    assert list(matrix.pairs()) == [("b", "a"), ("b", "c"), ("a", "c")]
    assert matrix.deepest == 0


def test_task_order_is_that_of_first_appearance_or_the_given_one() -> None:
    text = HEADER + "b,a,4,0.1\nc,a,4,0.2\n"
    assert ReductionMatrix.from_csv(text).tasks == ("b", "a", "c")
    assert ReductionMatrix.from_csv(text, ["a", "b", "c", "d"]).tasks == ("a", "b", "c", "d")


def test_csv_round_trip_keeps_everything() -> None:
    matrix = ReductionMatrix(
        ("a", "b", "c"),
        {("a", "b"): {5: Cell(0.1 + 0.2, 0.1, 0.5), 4: Cell(0.0)}, ("c", "b"): {8: Cell(1e-9, high=0.1)}},
    )
    assert ReductionMatrix.from_csv(matrix.to_csv()) == matrix
    assert matrix.to_csv().splitlines()[0] == "task_a,task_b,depth,ar,low,high"


def test_csv_has_no_interval_columns_where_there_is_no_interval() -> None:
    assert paper.matrix().to_csv() == paper.PAIRS_CSV


def test_survives_pickling() -> None:
    matrix = paper.matrix()
    assert pickle.loads(pickle.dumps(matrix)) == matrix


def test_reads_any_column_order_blanks_and_a_byte_order_mark() -> None:
    matrix = ReductionMatrix.from_csv("\ufeffar, depth,task_b,task_a,high,low\r\n\r\n0.1 ,4,b,a,0.2,\r\n")
    assert matrix.cell("a", "b", 4) == Cell(0.1, None, 0.2)
    assert matrix.tasks == ("a", "b")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("a,b,4,", "ar: a number; got ''"),
        ("a,b,4,2%", "ar: a number; got '2%'"),
        ("a,b,4,nan", "ar: AR is a finite fraction of at least 0; got nan"),
        ("a,b,4,inf", "ar: AR is a finite fraction of at least 0; got inf"),
        ("a,b,4,-0.1", "ar: AR is a finite fraction of at least 0; got -0.1"),
        ("a,b,-1,0.1", "depth is a whole number of at least 0; got '-1'"),
        ("a,b,4.5,0.1", "depth is a whole number of at least 0; got '4.5'"),
        ("a,b,²,0.1", "depth is a whole number of at least 0; got '²'"),
        ("a,a,4,0.1", "a pair has two tasks; got 'a' twice"),
        ("a,b", "4 columns; got 2"),
        ("a,,4,0.1", "a task's name has 1 to 64 letters"),
    ],
)
def test_names_the_line_and_the_rule_of_a_broken_row(row: str, fault: str) -> None:
    (found,) = faults(HEADER + "x,y,4,0.1\n" + row + "\n")
    assert found.startswith(f"line 3: {fault}")


def test_reports_every_broken_row() -> None:
    text = HEADER + "a,b,x,y\nb,a,4,0.1\na,b,4,0.2\na,q,4,0.1\n"
    assert faults(text, ["a", "b"]) == [
        "line 2: depth is a whole number of at least 0; got 'x'",
        "line 2: ar: a number; got 'y'",
        "line 4: a, b at depth 4 is there already",
        "line 5: the tasks are ['a', 'b']; got 'q'",
    ]


def test_an_interval_has_to_hold_the_point() -> None:
    assert faults(HEADER.strip() + ",low,high\na,b,4,0.1,0.2,0.3\n")[0].startswith("line 2: low")
    assert faults(HEADER.strip() + ",low,high\na,b,4,0.1,0.0,0.05\n")[0].startswith("line 2: high")
    assert faults(HEADER.strip() + ",low,high\na,b,4,0.1,nan,\n")[0].startswith("line 2: low")


@pytest.mark.parametrize(
    "text",
    ["", "\n", "a,b,4,0.1\n", "task_a,task_b,depth\n", HEADER, HEADER + '"a,b,4,0.1\n', HEADER.strip() + ",note\n"],
)
def test_a_table_that_is_none_is_malformed(text: str) -> None:
    with pytest.raises(MalformedInput, match="line"):
        ReductionMatrix.from_csv(text)


def test_an_empty_table_over_given_tasks_is_a_matrix_without_cells() -> None:
    assert ReductionMatrix.from_csv(HEADER, ["a", "b"]) == ReductionMatrix(("a", "b"), {})


@pytest.mark.parametrize(
    ("tasks", "cells"),
    [
        ((), {}),
        (("a", "a"), {}),
        (("a", "b"), {("a", "c"): {4: Cell(0.1)}}),
        (("a", "b"), {("a", "a"): {4: Cell(0.1)}}),
        (("a", "b"), {("a", "b"): {4: Cell(0.1)}, ("b", "a"): {5: Cell(0.1)}}),
        (("a", "b"), {("a", "b"): {-1: Cell(0.1)}}),
    ],
)
def test_an_illegal_matrix_cannot_be_made(
    tasks: tuple[str, ...], cells: dict[tuple[str, str], dict[int, Cell]]
) -> None:
    with pytest.raises(InvalidInput):
        ReductionMatrix(tasks, cells)


def test_compatibility_is_the_largest_passing_depth_though_ar_is_not_monotone() -> None:
    graph = paper.matrix().compatibility(0.02)
    weights = {pair: graph.edges[pair]["weight"] for pair in graph.edges}
    assert weights == {
        ("GC", "AC"): 8,
        ("GC", "SCR"): 8,
        ("GC", "VAD"): 8,
        ("AC", "SCR"): 7,  # 4 passes, 5 and 6 fail, 7 passes
        ("AC", "VAD"): 6,
        ("SCR", "VAD"): 8,
    }
    assert graph.edges["AC", "VAD"]["ar"] == 0.017


def test_pairs_that_fit_nowhere_have_no_edge_but_all_tasks_are_nodes() -> None:
    graph = paper.matrix().compatibility(0)
    assert list(graph) == list(paper.NAMES)
    assert set(graph.edges) == {("GC", "VAD")}


def test_confident_decides_on_the_upper_end() -> None:
    matrix = ReductionMatrix(
        ("a", "b"), {("a", "b"): {4: Cell(0.01), 5: Cell(0.01, 0.0, 0.02), 6: Cell(0.01, 0.0, 0.03)}}
    )
    assert matrix.compatibility(0.02).edges["a", "b"]["weight"] == 6
    assert matrix.compatibility(0.02, Decision.CONFIDENT).edges["a", "b"]["weight"] == 5
    assert matrix.compatibility(0.01, Decision.CONFIDENT).edges["a", "b"]["weight"] == 4


@pytest.mark.parametrize("threshold", [-0.01, 1, math.nan, math.inf])
def test_a_threshold_lies_from_0_to_below_1(threshold: float) -> None:
    with pytest.raises(InvalidInput, match="threshold"):
        paper.matrix().compatibility(threshold)


def test_reductions_are_symmetric_and_0_where_nothing_was_tried() -> None:
    matrix = ReductionMatrix(("a", "b", "c"), {("c", "a"): {4: Cell(0.1)}, ("a", "b"): {5: Cell(0.2)}})
    expected = np.array([[0, 0, 0.1], [0, 0, 0], [0.1, 0, 0]])
    np.testing.assert_array_equal(matrix.reductions(4), expected)
