"""The reduction matrix as a table: a row for each pair, the deepest depth first."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from taskgraft.api.pages.words import points
from taskgraft.api.pictures import Standing, standing
from taskgraft.api.schemas import CellView, MatrixView
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.matrix import Decision

SIGNS = {Standing.KEPT: "\N{CHECK MARK}", Standing.OPEN: "\N{ALMOST EQUAL TO}", Standing.BROKEN: "\N{BALLOT X}"}


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell: what it says, how it stands, and from which step of the slider on it keeps the threshold."""

    depth: int
    figure: str
    interval: str
    standing: Standing
    is_bound: bool
    counts: bool
    """Whether the study takes the pair to keep the threshold at this depth."""
    is_deepest: bool
    kept_from: int
    """The first step at which AR keeps the threshold."""
    sure_from: int
    """The first step at which the upper end of the interval keeps it, too."""

    @property
    def sign(self) -> str:
        """What tells the standing apart without colour."""
        return SIGNS[self.standing]


@dataclass(frozen=True, slots=True)
class TableRow:
    """A pair, by the places of its tasks, and its cells; None for a depth that was not asked."""

    first: int
    second: int
    name: tuple[str, str]
    cells: tuple[TableCell | None, ...]


@dataclass(frozen=True, slots=True)
class MatrixTable:
    """The table at a threshold."""

    depths: tuple[int, ...]
    rows: tuple[TableRow, ...]
    asked: int
    total: int
    by_upper_end: bool
    """Whether a pair counts by the upper end of its interval (`decision: confident`)."""

    @classmethod
    def of(cls, matrix: MatrixView, spec: StudySpec, ar_threshold: float, steps: Sequence[float] = ()) -> "MatrixTable":
        """Return the table of a matrix; ``steps`` are the thresholds of the slider."""
        cells = {(cell.task_a, cell.task_b, cell.depth): cell for cell in matrix.cells}
        depths = tuple(sorted({*spec.depths, *(cell.depth for cell in matrix.cells)}, reverse=True))
        by_upper_end = spec.decision is Decision.CONFIDENT
        rows = []
        for first, second in _pairs(len(matrix.tasks)):
            name = matrix.tasks[first], matrix.tasks[second]
            found = [cells.get((*name, depth)) for depth in depths]
            shown = tuple(_show(found, ar_threshold, steps, by_upper_end))
            rows.append(TableRow(first, second, name, shown))
        return cls(depths, tuple(rows), len(cells), len(rows) * len(depths), by_upper_end)


def _pairs(tasks: int) -> Iterator[tuple[int, int]]:
    for first in range(tasks):
        for second in range(first + 1, tasks):
            yield first, second


def _show(
    cells: Sequence[CellView | None], ar_threshold: float, steps: Sequence[float], by_upper_end: bool
) -> Iterator[TableCell | None]:
    has_deepest = False
    for cell in cells:
        if cell is None:
            yield None
            continue
        upper = cell.ar if cell.ar_interval is None else cell.ar_interval[1]
        counts = (upper if by_upper_end else cell.ar) <= ar_threshold
        yield TableCell(
            depth=cell.depth,
            figure=f"{'≤ ' if cell.at_most else ''}{points(cell.ar)}",
            interval="" if cell.ar_interval is None else "\N{EN DASH}".join(map(points, cell.ar_interval)),
            standing=standing(cell, ar_threshold),
            is_bound=cell.at_most,
            counts=counts,
            is_deepest=counts and not has_deepest,
            kept_from=bisect_left(steps, cell.ar),
            sure_from=bisect_left(steps, upper),
        )
        has_deepest = has_deepest or counts
