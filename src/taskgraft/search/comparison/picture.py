"""The picture of a comparison: size against AR, one point for each row, as one standalone SVG."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from taskgraft.search.study.comparison_table import ComparisonTable, Row
from taskgraft.svg import MUTED, STRONG, WARNING, add_element, add_line, add_text, new_picture, to_text

_LEFT, _TOP, _PLOT_WIDTH, _LEAST_HEIGHT, _BOTTOM = 64, 56, 520, 320, 56
_LETTER, _LABEL = 7.5, 15
"""Width of a letter and height of a line of the labels, in pixels."""
_GAP, _FAR = 8, 40
"""From a point to its label: if it is beside the point, and if it had to move."""
_TICKS = 5


def draw_comparison(table: ComparisonTable) -> str:
    """Draw parameters against AR with its 95 % interval; a dashed line is the study's threshold.

    Many rows may have one size, so the picture is as high as all their names below each other. A name that had to move
    away from its point has a line to it.
    """
    plot = _Plot.of(table)
    names = max((len(row.name) for row in table.rows), default=0) * _LETTER
    title = f"Accuracy reduction by size of {len(table.rows)} models"
    size = (_LEFT + _PLOT_WIDTH + names + 40, _TOP + plot.height + _BOTTOM)
    svg = new_picture(*size, title, "; ".join(map(_words, table.rows)))
    add_text(svg, "accuracy reduction (AR, %) by parameters; bars are 95 % intervals", _LEFT, 28, size=14, weight="600")
    _draw_axes(svg, plot)
    _draw_threshold(svg, plot, table.ar_threshold)
    for row in table.rows:
        _draw_point(svg, plot, row)
    for rows in _neighbours(table, plot):
        _draw_names(svg, plot, rows)
    return to_text(svg)


def _words(row: Row) -> str:
    return f"{row.name}: {row.parameters:,} parameters, AR {100 * row.ar:.2f} %"


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where figures lie, in pixels; both axes begin at 0."""

    most_parameters: float
    most_ar: float
    height: int

    @classmethod
    def of(cls, table: ComparisonTable) -> "_Plot":
        """Return axes that hold every row and the threshold."""
        parameters = max((row.parameters for row in table.rows), default=1)
        ar = max([row.ar_interval[1] for row in table.rows] + [table.ar_threshold, 0.01])
        return cls(_round_up(parameters), _round_up(ar), max(_LEAST_HEIGHT, _LABEL * (len(table.rows) + 1)))

    def x(self, parameters: float) -> float:
        """Return where a size lies."""
        return round(_LEFT + _PLOT_WIDTH * parameters / self.most_parameters, 1)

    def y(self, ar: float) -> float:
        """Return where an AR lies."""
        return round(_TOP + self.height * (1 - ar / self.most_ar), 1)

    @property
    def bottom(self) -> int:
        """Where AR is 0."""
        return _TOP + self.height


def _round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten, for five round steps.

    >>> [_round_up(value) for value in (118_211, 0.034, 40_000)]
    [150000.0, 0.04, 40000.0]
    """
    power = 10.0 ** math.floor(math.log10(value))
    return float(
        next(step * power for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if value <= step * power * (1 + 1e-9))
    )


def _draw_axes(svg: ET.Element, plot: _Plot) -> None:
    for tick in range(_TICKS + 1):
        parameters, ar = plot.most_parameters * tick / _TICKS, plot.most_ar * tick / _TICKS
        x, y = plot.x(parameters), plot.y(ar)
        add_line(svg, f"M{_LEFT} {y}H{_LEFT + _PLOT_WIDTH}", width=0.3)
        add_text(svg, f"{100 * ar:g}", _LEFT - 8, y + 4, size=11, fill=MUTED, anchor="end")
        add_text(svg, f"{parameters:,.0f}", x, plot.bottom + 20, size=11, fill=MUTED, anchor="middle")
    middle = _LEFT + _PLOT_WIDTH / 2
    add_text(svg, "parameters", middle, plot.bottom + 42, size=12, fill=MUTED, anchor="middle")


def _draw_threshold(svg: ET.Element, plot: _Plot, threshold: float) -> None:
    y = plot.y(threshold)
    add_line(svg, f"M{_LEFT} {y}H{_LEFT + _PLOT_WIDTH}", stroke=WARNING, width=1, dashes="6 4")
    words = f"threshold {100 * threshold:g} %"
    add_text(svg, words, _LEFT + _PLOT_WIDTH, y - 5, size=11, fill=WARNING, anchor="end")


def _draw_point(svg: ET.Element, plot: _Plot, row: Row) -> None:
    x = plot.x(row.parameters)
    add_line(svg, f"M{x} {plot.y(row.ar_interval[0])}V{plot.y(min(row.ar_interval[1], plot.most_ar))}", width=1.5)
    point = add_element(svg, "circle", cx=f"{x}", cy=f"{plot.y(row.ar)}", r="4.5", fill=STRONG)
    add_element(point, "title", _words(row))


def _draw_names(svg: ET.Element, plot: _Plot, rows: Sequence[Row]) -> None:
    """Write the names of points that lie near each other, one below the other in the order of the points.

    If any of them had to move away from its point, all are set apart, with a line to each point.
    """
    heights = _spread([plot.y(row.ar) for row in rows], _TOP, plot.bottom)
    moved = max(abs(y - plot.y(row.ar)) for row, y in zip(rows, heights, strict=True))
    gap = _GAP if moved < _LABEL / 2 else _FAR
    for row, y in zip(rows, heights, strict=True):
        x = plot.x(row.parameters)
        if gap == _FAR:
            add_line(svg, f"M{x} {plot.y(row.ar)}L{x + gap - 2} {y}", width=0.5)
        add_text(svg, row.name, x + gap, y + 4, size=12)


def _neighbours(table: ComparisonTable, plot: _Plot) -> Iterator[list[Row]]:
    """Yield the rows whose names lie side by side, from the highest point to the lowest one."""
    group: list[Row] = []
    end = 0.0
    for row in sorted(table.rows, key=lambda row: row.parameters):
        if group and plot.x(row.parameters) > end:
            yield sorted(group, key=lambda row: plot.y(row.ar))
            group = []
        group.append(row)
        end = max(end, plot.x(row.parameters) + _FAR + len(row.name) * _LETTER)
    if group:
        yield sorted(group, key=lambda row: plot.y(row.ar))


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return heights as near to the wanted ones, in ascending order, as lines of text that do not touch can be.

    That is isotonic regression of what is wanted less the lines above, by pooling neighbours that are in the way.

    >>> _spread([100, 102, 300], 0, 400)
    [93.5, 108.5, 300.0]
    """
    pools: list[tuple[float, int]] = []
    for line, y in enumerate(wanted):
        mean, count = y - _LABEL * line, 1
        while pools and pools[-1][0] > mean:
            before, lines = pools.pop()
            mean, count = (before * lines + mean * count) / (lines + count), lines + count
        pools.append((mean, count))
    most = bottom - _LABEL * (len(wanted) - 1)
    starts = [max(top, min(most, mean)) for mean, count in pools for _ in range(count)]
    return [round(start + _LABEL * line, 1) for line, start in enumerate(starts)]
