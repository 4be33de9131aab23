"""The matrix as a table, against what the studies decide."""

from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.api.pages.matrix_table import MatrixTable
from taskgraft.api.pictures import Standing
from taskgraft.api.schemas import MatrixView
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.matrix import Cell, Decision, ReductionMatrix

TASKS = ("a", "b", "c")
DEPTHS = (4, 6, 8)
AR = st.sampled_from([0.0, 0.01, 0.02, 0.03, 0.05, 0.2])


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    ar = draw(AR)
    if draw(st.booleans()):
        return Cell(ar, is_bound=draw(st.booleans()))
    return Cell(ar, max(0.0, ar - 0.01), ar + draw(st.sampled_from([0.0, 0.01, 0.1])))


MATRICES = st.dictionaries(
    st.sampled_from([("a", "b"), ("a", "c"), ("b", "c")]), st.dictionaries(st.sampled_from(DEPTHS), cells())
).map(lambda found: ReductionMatrix(TASKS, found))


def spec(decision: Decision) -> StudySpec:
    tasks = [{"name": name, "dataset": "speech", "target": name} for name in TASKS]
    return StudySpec.parse({"name": "s", "ar_threshold": 0.02, "tasks": tasks, "depths": DEPTHS, "decision": decision})


@pytest.mark.parametrize("decision", list(Decision))
@settings(max_examples=40, deadline=None)
@given(matrix=MATRICES, threshold=AR)
def test_the_framed_cell_is_the_compatibility_of_its_pair(
    decision: Decision, matrix: ReductionMatrix, threshold: float
) -> None:
    table = MatrixTable.of(MatrixView.of(matrix, DEPTHS), spec(decision), threshold)
    assert table.depths == (8, 6, 4)
    for row in table.rows:
        kept = [depth for depth, cell in matrix.cells.get(row.name, {}).items() if cell.deciding(decision) <= threshold]
        framed = [cell.depth for cell in row.cells if cell and cell.is_deepest]
        assert framed == ([max(kept)] if kept else [])
        assert len([cell for cell in row.cells if cell]) == len(matrix.cells.get(row.name, {}))


@settings(max_examples=40, deadline=None)
@given(matrix=MATRICES, threshold=AR)
def test_steps_say_how_a_cell_stands_at_every_threshold_of_the_slider(
    matrix: ReductionMatrix, threshold: float
) -> None:
    steps = sorted({0.0, 0.01, 0.02, 0.03, 0.05, 0.2})
    table = MatrixTable.of(MatrixView.of(matrix, DEPTHS), spec(Decision.POINT), threshold, steps)
    step = bisect_left(steps, threshold)
    for cell in (cell for row in table.rows for cell in row.cells if cell):
        by_step = (
            Standing.BROKEN if step < cell.kept_from else Standing.OPEN if step < cell.sure_from else Standing.KEPT
        )
        assert by_step is cell.standing
