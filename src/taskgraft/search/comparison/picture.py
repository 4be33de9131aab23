"""The picture of a comparison: size against AR, one point for each row, as one standalone SVG."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from taskgraft.search.study.comparison_table import ComparisonTable, Row
from taskgraft.svg import LINE, MUTED, STRONG, WARNING, add_element, add_text, new_picture, to_text

_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT, _BOTTOM = 64, 56, 520, 320, 56
_LETTER, _LABEL = 7.5, 15
"""Width of a letter and height of a line of the labels, in pixels."""
_TICKS = 5


def draw_comparison(table: ComparisonTable) -> str:
    """Draw parameters against AR with its 95 % interval; a dashed line is the study's threshold."""
    names = max((len(row.name) for row in table.rows), default=0) * _LETTER
    svg = new_picture(_LEFT + _PLOT_WIDTH + names + 40, _TOP + _PLOT_HEIGHT + _BOTTOM)
    add_element(svg, "title", f"Accuracy reduction by size of {len(table.rows)} models")
    add_element(svg, "desc", "; ".join(map(_words, table.rows)))
    add_element(svg, "rect", width="100%", height="100%", fill="#ffffff")
    plot = _Plot.of(table)
    add_text(svg, "accuracy reduction (AR, %) by parameters; bars are 95 % intervals", _LEFT, 28, size=14, weight="600")
    _draw_axes(svg, plot)
    _draw_threshold(svg, plot, table.ar_threshold)
    for row in table.rows:
        _draw_point(svg, plot, row)
    for row, y in _label_places(table, plot):
        add_text(svg, row.name, plot.x(row.parameters) + 8, y, size=12)
    return to_text(svg)


def _words(row: Row) -> str:
    return f"{row.name}: {row.parameters:,} parameters, AR {100 * row.ar:.2f} %"


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where figures lie, in pixels; both axes begin at 0."""

    most_parameters: float
    most_ar: float

    @classmethod
    def of(cls, table: ComparisonTable) -> "_Plot":
        """Return axes that hold every row and the threshold."""
        parameters = max((row.parameters for row in table.rows), default=1)
        ar = max([row.ar_interval[1] for row in table.rows] + [table.ar_threshold, 0.01])
        return cls(_round_up(parameters), _round_up(ar))

    def x(self, parameters: float) -> float:
        """Return where a size lies."""
        return round(_LEFT + _PLOT_WIDTH * parameters / self.most_parameters, 1)

    def y(self, ar: float) -> float:
        """Return where an AR lies."""
        return round(_TOP + _PLOT_HEIGHT * (1 - ar / self.most_ar), 1)


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
        _line(svg, f"M{_LEFT} {y}H{_LEFT + _PLOT_WIDTH}", "0.3")
        add_text(svg, f"{100 * ar:g}", _LEFT - 8, y + 4, size=11, fill=MUTED, anchor="end")
        add_text(svg, f"{parameters:,.0f}", x, _TOP + _PLOT_HEIGHT + 20, size=11, fill=MUTED, anchor="middle")
    middle = _LEFT + _PLOT_WIDTH / 2
    add_text(svg, "parameters", middle, _TOP + _PLOT_HEIGHT + 42, size=12, fill=MUTED, anchor="middle")


def _draw_threshold(svg: ET.Element, plot: _Plot, threshold: float) -> None:
    y = plot.y(threshold)
    path = {"d": f"M{_LEFT} {y}H{_LEFT + _PLOT_WIDTH}", "stroke": WARNING, "stroke-dasharray": "6 4", "fill": "none"}
    add_element(svg, "path", **path)
    words = f"threshold {100 * threshold:g} %"
    add_text(svg, words, _LEFT + _PLOT_WIDTH, y - 5, size=11, fill=WARNING, anchor="end")


def _draw_point(svg: ET.Element, plot: _Plot, row: Row) -> None:
    x = plot.x(row.parameters)
    _line(svg, f"M{x} {plot.y(row.ar_interval[0])}V{plot.y(min(row.ar_interval[1], plot.most_ar))}", "1.5")
    point = add_element(svg, "circle", cx=f"{x}", cy=f"{plot.y(row.ar)}", r="4.5", fill=STRONG)
    add_element(point, "title", _words(row))


def _label_places(table: ComparisonTable, plot: _Plot) -> Iterator[tuple[Row, float]]:
    """Yield each row with the height of its label: beside its point, or as near as there is room."""
    taken: list[tuple[float, float, float]] = []
    for row in sorted(table.rows, key=lambda row: (row.ar, row.parameters)):
        left = plot.x(row.parameters) + 8
        right, wanted = left + len(row.name) * _LETTER, plot.y(row.ar) + 4
        steps = (round(wanted + sign * _LABEL * step, 1) for step in range(2 * len(table.rows)) for sign in (-1, 1))
        inside = (y for y in steps if _TOP <= y <= _TOP + _PLOT_HEIGHT + 4)
        y = next((y for y in inside if not any(_overlap(left, right, y, box) for box in taken)), wanted)
        taken.append((left, right, y))
        yield row, y


def _overlap(left: float, right: float, y: float, box: tuple[float, float, float]) -> bool:
    return left < box[1] and box[0] < right and abs(y - box[2]) < _LABEL


def _line(svg: ET.Element, path: str, width: str) -> None:
    add_element(svg, "path", **{"d": path, "fill": "none", "stroke": LINE, "stroke-width": width})
