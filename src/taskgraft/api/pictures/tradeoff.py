"""Size against what is accepted: a step for every threshold at which the tree changes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.etree import ElementTree as ET

from taskgraft.api.pictures.scales import nice_ticks, percent_ticks, root_place, write_ticks
from taskgraft.api.tree_schemas import TradeoffPointView, TradeoffView
from taskgraft.search.study.result import FinalVerdict
from taskgraft.svg import (
    INK,
    MUTED,
    PAPER,
    STRONG,
    WARNING,
    add_element,
    add_line,
    add_text,
    new_picture,
    text_width,
    to_text,
    widest,
    wrap,
)

_TOP, _WIDTH, _HEIGHT, _MARGIN, _RIGHT = 84, 500, 240, 24, 40
_NARROW, _LITTLE = 225, 8
"""Width of the plot and its margins on a narrow screen."""
_APART, _SIGN = 25, 24
"""From one threshold on the axis to the next, at least; from the sign of a verdict to its words."""
_MOST_DOTS = 60
"""Steps up to which each has a dot; more of them would hide the line."""


class TrainedTree(NamedTuple):
    """A tree of the study that was trained and measured on the test split."""

    ar_threshold: float
    parameters: int
    verdict: FinalVerdict


def draw_tradeoff(
    tradeoff: TradeoffView, *, mark: float | None = None, verified: Iterable[TrainedTree] = (), narrow: bool = False
) -> str:
    """Draw the parameters of the tree by the accuracy reduction that is accepted.

    ``mark`` is a threshold that gets a line and the size there; ``verified`` are trees that were trained, each with the
    sign of its verdict. The axis of thresholds spreads small ones: distances grow as roots do. A ``narrow`` picture
    fits a screen of 360 px.
    """
    trained = list(verified)
    plot = _Plot.of(tradeoff, mark, trained, narrow=narrow)
    words = "Parameters of the tree by the accuracy reduction that is accepted"
    notes = list(_lines(_notes(tradeoff, trained), plot.end - plot.margin))
    height = _TOP + _HEIGHT + 58 + 20 * len(notes) + 8
    svg = new_picture(plot.end, height, words, _describe(tradeoff))
    add_text(svg, "Size against what you accept", plot.margin, 34, size=13 if narrow else 15, weight="600")
    if tradeoff.items:
        _draw_axes(svg, plot)
    _draw_steps(svg, plot, tradeoff.items)
    if mark is not None:
        _draw_mark(svg, plot, tradeoff.items, mark)
    for tree in trained:
        _draw_trained(svg, plot.x(tree.ar_threshold), plot.y(tree.parameters), tree)
    for number, (verdict, note) in enumerate(notes):
        y = _TOP + _HEIGHT + 66 + number * 20
        if verdict:
            _draw_sign(svg, plot.margin + 8, y - 4, verdict)
        add_text(svg, note, plot.margin + (_SIGN if verdict else 0), y, size=12, fill=MUTED)
    return to_text(svg)


def _lines(notes: Iterable[tuple[FinalVerdict | None, str]], width: float) -> Iterator[tuple[FinalVerdict | None, str]]:
    """Yield notes as lines that fit a width; the sign of a verdict stands before its first line."""
    for verdict, note in notes:
        first, *others = wrap(note, 12, width - (_SIGN if verdict else 0))
        yield verdict, first
        for line in others:
            yield None, line


def size_at(items: Sequence[TradeoffPointView], threshold: float) -> int | None:
    """Return the parameters of the tree at a threshold, or of its encoder without known heads; None without items."""
    below = [item for item in items if item.ar_threshold <= threshold]
    return _size(below[-1]) if below else None


def _size(point: TradeoffPointView) -> int:
    return point.encoder_parameters if point.parameters is None else point.parameters


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where figures lie, in pixels."""

    most_ar: float
    ticks: Sequence[float]
    """Of the sizes."""
    left: float
    """Where the axis of the sizes is: behind its figures."""
    width: float
    margin: float

    @classmethod
    def of(cls, tradeoff: TradeoffView, mark: float | None, trained: Sequence[TrainedTree], *, narrow: bool) -> "_Plot":
        thresholds = [item.ar_threshold for item in tradeoff.items] + [tree.ar_threshold for tree in trained]
        sizes = [_size(item) for item in tradeoff.items] + [tree.parameters for tree in trained]
        most = max([*thresholds, mark or 0.0, 0.01])
        ticks = nice_ticks(0, max([*sizes, 1]))
        margin, width = (_LITTLE, _NARROW) if narrow else (_MARGIN, _WIDTH)
        return cls(most * 1.08, ticks, round(margin + widest(write_ticks(ticks), 11) + 8), width, margin)

    @property
    def right(self) -> float:
        """Where the axis of the thresholds ends."""
        return self.left + self.width

    @property
    def end(self) -> float:
        """The width of the picture."""
        return self.right + min(_RIGHT, 2 * self.margin)

    def x(self, ar: float) -> float:
        """Return where a threshold lies."""
        return round(self.left + self.width * root_place(ar, self.most_ar), 1)

    def y(self, parameters: float) -> float:
        """Return where a size lies."""
        return round(_TOP + _HEIGHT * (1 - parameters / self.ticks[-1]), 1)


def _draw_axes(svg: ET.Element, plot: _Plot) -> None:
    add_text(svg, "parameters", plot.margin, _TOP - 30, size=11, fill=MUTED)
    for tick, words in zip(plot.ticks, write_ticks(plot.ticks), strict=True):
        add_line(svg, f"M{plot.left} {plot.y(tick)}H{plot.right}", width=0.4)
        add_text(svg, words, plot.left - 8, plot.y(tick) + 4, size=11, fill=MUTED, anchor="end")
    bottom = _TOP + _HEIGHT
    for ar in percent_ticks(plot.most_ar, _APART / plot.width):
        add_line(svg, f"M{plot.x(ar)} {bottom}v5", width=1)
        add_text(svg, f"{100 * ar:g}", plot.x(ar), bottom + 19, size=11, fill=MUTED, anchor="middle")
    words = "accepted accuracy reduction (%)"
    add_text(svg, words, plot.right, bottom + 38, size=11, fill=MUTED, anchor="end")


def _draw_steps(svg: ET.Element, plot: _Plot, items: Sequence[TradeoffPointView]) -> None:
    if not items:
        add_text(
            svg, "not known yet", plot.left + plot.width / 2, _TOP + _HEIGHT / 2, size=13, fill=MUTED, anchor="middle"
        )
        return
    path = f"M{plot.x(items[0].ar_threshold)} {plot.y(_size(items[0]))}"
    for item in items[1:]:
        path += f"H{plot.x(item.ar_threshold)}V{plot.y(_size(item))}"
    add_line(svg, f"{path}H{plot.right}", stroke=STRONG)
    for item in items if len(items) <= _MOST_DOTS else ():
        point = {"cx": f"{plot.x(item.ar_threshold)}", "cy": f"{plot.y(_size(item))}", "r": "2.5"}
        add_element(add_element(svg, "circle", **point, fill=STRONG), "title", _words(item))


def _draw_mark(svg: ET.Element, plot: _Plot, items: Sequence[TradeoffPointView], mark: float) -> None:
    x = plot.x(mark)
    add_line(svg, f"M{x} {_TOP - 4}V{_TOP + _HEIGHT}", stroke=WARNING, width=1.2, dashes="5 4")
    words = f"{100 * mark:.4g} %"
    if (size := size_at(items, mark)) is not None:
        words = f"{words}: {size:,}"
        add_element(svg, "circle", cx=f"{x}", cy=f"{plot.y(size)}", r="5", fill=PAPER, stroke=WARNING, stroke_width="2")
    half, last = text_width(words, 12) / 2 + 2, plot.end
    place = min(max(x, half), last - half)
    add_text(svg, words, place, _TOP - 10, size=12, fill=INK, weight="600", anchor="middle")


def _draw_trained(svg: ET.Element, x: float, y: float, tree: TrainedTree) -> None:
    words = f"trained for {100 * tree.ar_threshold:g} %: {tree.parameters:,} parameters, {tree.verdict.words}"
    add_element(_draw_sign(svg, x, y, tree.verdict), "title", words)


def _draw_sign(svg: ET.Element, x: float, y: float, verdict: FinalVerdict) -> ET.Element:
    """Draw a disc with a tick for verified, a ring for not refuted, a cross for refuted."""
    group = add_element(svg, "g")
    if verdict is FinalVerdict.REFUTED:
        add_element(group, "circle", cx=f"{x}", cy=f"{y}", r="7", fill=PAPER, stroke=STRONG)
        add_line(group, f"M{x - 4} {y - 4}l8 8m0 -8l-8 8", stroke=STRONG)
    else:
        full = verdict is FinalVerdict.VERIFIED
        fill = STRONG if full else PAPER
        add_element(group, "circle", cx=f"{x}", cy=f"{y}", r="7", fill=fill, stroke=STRONG, stroke_width="2")
        if full:
            add_line(group, f"M{x - 3.5} {y}l2.5 3l4.5 -6", stroke=PAPER, width=1.8)
    return group


def _notes(tradeoff: TradeoffView, trained: Sequence[TrainedTree]) -> list[tuple[FinalVerdict | None, str]]:
    found = {tree.verdict for tree in trained}
    notes: list[tuple[FinalVerdict | None, str]] = [
        (verdict, f"trained and measured on test: {verdict.words}") for verdict in FinalVerdict if verdict in found
    ]
    if any(item.parameters is None for item in tradeoff.items):
        notes.append((None, "parameters of the shared encoder: the sizes of the heads are not known"))
    if not tradeoff.exact:
        notes.append((None, "the tree may change between these points too: some trainings ended early"))
    return notes


def _words(item: TradeoffPointView) -> str:
    return f"from {100 * item.ar_threshold:.2f} %: {_size(item):,} parameters"


def _describe(tradeoff: TradeoffView) -> str:
    return "; ".join(map(_words, tradeoff.items)) or "Not known yet"
