"""The reduction matrix as a picture: a row for each pair, a column for each depth, the deepest one first."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree as ET

from taskgraft.space.matrix import Cell, ReductionMatrix
from taskgraft.space.pictures.standing import MeasuredCell, Standing, standing
from taskgraft.svg import (
    BROKEN,
    INK,
    KEPT,
    LINE,
    MUTED,
    OPEN,
    PALE,
    PAPER,
    Colour,
    add_element,
    add_line,
    add_text,
    hatching,
    new_picture,
    to_text,
    widest,
    wrap,
)

_MARGIN, _HEAD, _CELL, _ROW, _GAP, _BETWEEN = 24, 40, 92, 40, 3, 40
_ROWS = 40
"""Pairs below each other, before a second column of pairs begins."""
_COLUMNS = 4
_FILLS: Mapping[Standing | None, Colour] = {
    Standing.KEPT: KEPT,
    Standing.OPEN: OPEN,
    Standing.BROKEN: BROKEN,
    None: PALE,
}
_SIGNS = {
    Standing.KEPT: "M0 4.5L3 8L9 0",
    Standing.OPEN: "M0 5C2 1 4 1 5 4S8 7 10 3",
    Standing.BROKEN: "M0.5 0L8.5 8M8.5 0L0.5 8",
}
"""A tick, a wave and a cross, in 10 x 8 pixels."""

Pair = tuple[str, str]


def draw_cells(
    tasks: Sequence[str], cells: Sequence[MeasuredCell], depths: Iterable[int], ar_threshold: float | None = None
) -> str:
    """Draw AR of every pair at every depth, in percent, with its 95 % interval below.

    ``depths`` are those that a pair may have been asked at. With a threshold every cell has the colour and the sign of
    its `Standing`. Hatched cells are upper bounds; a dot stands for a depth that was not asked. Many pairs are drawn in
    several columns.
    """
    table = _Table.of(tasks, cells, depths)
    title = f"Reduction matrix of {len(tasks)} tasks"
    legend = list(_legend(ar_threshold, table))
    width = max(table.width, 2 * _MARGIN + 18 + widest((words for _, words in legend), 12))
    intro = wrap(_INTRO, 12, width - 2 * _MARGIN)
    top = 52 + len(intro) * 17
    bottom = top + _HEAD + table.rows * _ROW
    svg = new_picture(width, bottom + 16 + 20 * len(legend) + _MARGIN, title, _describe(cells, ar_threshold))
    add_text(svg, "What sharing costs each pair", _MARGIN, 34, size=15, weight="600")
    for number, line in enumerate(intro):
        add_text(svg, line, _MARGIN, 54 + number * 17, size=12, fill=MUTED)
    for column in range(table.columns):
        _draw_head(svg, table, table.left(column), top)
    for number, pair in enumerate(table.pairs):
        column, row = divmod(number, table.rows)
        _draw_pair(svg, table, pair, (table.left(column), top + _HEAD + row * _ROW), ar_threshold)
    for number, (kind, words) in enumerate(legend):
        _draw_legend(svg, kind, words, bottom + 24 + number * 20)
    return to_text(svg)


@dataclass(frozen=True, slots=True)
class _KeptCell:
    """A cell of a `ReductionMatrix` as a `MeasuredCell`."""

    task_a: str
    task_b: str
    depth: int
    cell: Cell

    @property
    def ar(self) -> float:
        return self.cell.ar

    @property
    def ar_interval(self) -> tuple[float, float] | None:
        low, high = self.cell.low, self.cell.high
        return None if low is None or high is None else (low, high)

    @property
    def at_most(self) -> bool:
        return self.cell.is_bound


def draw_reduction_matrix(matrix: ReductionMatrix, depths: Iterable[int], ar_threshold: float) -> str:
    """Draw a matrix as `draw_cells` does."""
    cells = [
        _KeptCell(*pair, depth, cell)
        for pair, by_depth in matrix.cells.items()
        for depth, cell in sorted(by_depth.items())
    ]
    return draw_cells(matrix.tasks, cells, depths, ar_threshold)


_INTRO = "Accuracy reduction of the worse task (%), by how many blocks the two share; below, its 95 % interval."


@dataclass(frozen=True, slots=True)
class _Table:
    """The cells, and where they lie."""

    pairs: Sequence[Pair]
    depths: Sequence[int]
    cells: Mapping[tuple[Pair, int], MeasuredCell]
    names: float
    """Width of the longest pair."""

    @classmethod
    def of(cls, tasks: Sequence[str], cells: Sequence[MeasuredCell], depths: Iterable[int]) -> "_Table":
        pairs = list(combinations(tasks, 2))
        placed = {((cell.task_a, cell.task_b), cell.depth): cell for cell in cells}
        columns = sorted({depth for _, depth in placed}.union(depths), reverse=True)
        return cls(pairs, columns, placed, widest(map(_name, pairs), 13) + 14)

    @property
    def columns(self) -> int:
        return max(1, min(_COLUMNS, math.ceil(len(self.pairs) / _ROWS)))

    @property
    def rows(self) -> int:
        return math.ceil(len(self.pairs) / self.columns)

    @property
    def _column(self) -> float:
        return self.names + len(self.depths) * _CELL

    @property
    def width(self) -> float:
        return max(2 * _MARGIN + self.columns * (self._column + _BETWEEN) - _BETWEEN, 360)

    def left(self, column: int) -> float:
        return _MARGIN + column * (self._column + _BETWEEN)


def _name(pair: Pair) -> str:
    return f"{pair[0]} + {pair[1]}"


def _draw_head(svg: ET.Element, table: _Table, left: float, top: float) -> None:
    add_text(svg, "pair", left, top + 28, size=12, fill=MUTED)
    for number, depth in enumerate(table.depths):
        words = f"{depth} block{'' if depth == 1 else 's'}"
        x = left + table.names + (number + 0.5) * _CELL
        add_text(svg, words, x, top + 28, size=12, fill=MUTED, anchor="middle")


def _draw_pair(
    svg: ET.Element, table: _Table, pair: Pair, place: tuple[float, float], ar_threshold: float | None
) -> None:
    left, y = place
    add_text(svg, _name(pair), left, y + _ROW / 2 + 4, size=13, weight="600")
    for number, depth in enumerate(table.depths):
        x = left + table.names + number * _CELL
        cell = table.cells.get((pair, depth))
        if cell is None:
            _draw_unasked(svg, x, y, f"{_name(pair)} at {depth}: not asked")
        else:
            _draw_cell(svg, x, y, cell, None if ar_threshold is None else standing(cell, ar_threshold))


def _draw_unasked(svg: ET.Element, x: float, y: float, words: str) -> None:
    group = add_element(svg, "g")
    add_element(group, "title", words)
    _box(group, x, y, PAPER)
    add_element(group, "circle", cx=f"{x + _CELL / 2:g}", cy=f"{y + _ROW / 2:g}", r="1.8", fill=MUTED)


def _draw_cell(svg: ET.Element, x: float, y: float, cell: MeasuredCell, found: Standing | None) -> None:
    group = add_element(svg, "g")
    add_element(group, "title", _words(cell, found))
    _box(group, x, y, _FILLS[found])
    if cell.at_most:
        add_line(group, hatching(x + 1, y + 1, _CELL - _GAP - 2, _ROW - _GAP - 2), width=0.7)
    if found:
        _sign(group, found, x + 6, y + 7)
    middle = x + (_CELL - _GAP) / 2
    height = y + (17 if cell.ar_interval else 24)
    add_text(group, _figure(cell), middle, height, size=13, weight="600", anchor="middle")
    if cell.ar_interval:
        low, high = cell.ar_interval
        words = f"{100 * low:.1f} to {100 * high:.1f}"
        add_text(group, words, middle, y + 31, size=11, anchor="middle")


def _box(svg: ET.Element, x: float, y: float, fill: Colour) -> None:
    size = {"width": f"{_CELL - _GAP}", "height": f"{_ROW - _GAP}", "rx": "4"}
    add_element(svg, "rect", x=f"{x:g}", y=f"{y:g}", **size, fill=fill, stroke=PALE)


def _sign(svg: ET.Element, found: Standing, x: float, y: float) -> None:
    line = add_line(svg, _SIGNS[found], stroke=INK, width=1.8)
    line.set("transform", f"translate({x:g} {y:g})")


def _figure(cell: MeasuredCell) -> str:
    return f"{'≤ ' if cell.at_most else ''}{100 * cell.ar:.1f}"


def _words(cell: MeasuredCell, found: Standing | None) -> str:
    words = f"{cell.task_a} + {cell.task_b} at {cell.depth}: {_figure(cell)} %"
    if cell.ar_interval:
        words += f" (95 %: {100 * cell.ar_interval[0]:.1f} to {100 * cell.ar_interval[1]:.1f} %)"
    return f"{words}, {found.words}" if found else words


def _describe(cells: Sequence[MeasuredCell], ar_threshold: float | None) -> str:
    found = [None if ar_threshold is None else standing(cell, ar_threshold) for cell in cells]
    return "; ".join(map(_words, cells, found)) or "No pair has been trained yet"


Kind = Standing | str


def _legend(ar_threshold: float | None, table: _Table) -> Iterator[tuple[Kind, str]]:
    if ar_threshold is not None:
        for found in Standing:
            yield found, f"{found.words}{f' of {100 * ar_threshold:g} %' if found is Standing.KEPT else ''}"
    if any(cell.at_most for cell in table.cells.values()):
        yield "bound", "≤, hatched: an upper bound; the training ended early, or a larger group stands for it"
    yield "dot", "not asked"


def _draw_legend(svg: ET.Element, kind: Kind, words: str, y: float) -> None:
    x = float(_MARGIN)
    fill = _FILLS[kind] if isinstance(kind, Standing) else PAPER
    box = {"x": f"{x:g}", "y": f"{y - 11:g}", "width": "18", "height": "14", "rx": "3"}
    add_element(svg, "rect", **box, fill=fill, stroke=LINE)
    if isinstance(kind, Standing):
        _sign(svg, kind, x + 4, y - 8)
    elif kind == "bound":
        add_line(svg, hatching(x + 1, y - 10, 16, 12, 5), width=0.7)
    else:
        add_element(svg, "circle", cx=f"{x + 9:g}", cy=f"{y - 4:g}", r="1.8", fill=MUTED)
    add_text(svg, words, x + 26, y, size=12, fill=MUTED)
