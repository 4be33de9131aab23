"""Confusion: which answers a task's model gave to which truths, on the validation split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree as ET

from taskgraft.api.trial_schemas import ConfusionView
from taskgraft.evaluators.outcomes import CLASSES
from taskgraft.svg import (
    MUTED,
    PALE,
    PAPER,
    STRONG,
    add_element,
    add_text,
    new_picture,
    text_width,
    to_text,
    widest,
)

_MARGIN, _HEAD, _ROW, _FEW = 24, 66, 24, 12
"""Border, room for the heading, height of a row of counts, classes up to which there is room for every count."""
FAINTEST, DARKEST = 0.08, 0.56
"""Opacity of a count's ground, by its share of the row; text can be read on all of them."""


def draw_confusion(task: str, counts: Iterable[ConfusionView], labels: Sequence[str] | None = None) -> str:
    """Draw how often each answer was given: true classes by row, answers by column; the fill is the row's share.

    Questions that are answered by yes or no (tags, events, segments) have a row each: found, missed, false alarms.
    ``labels`` are the names of the classes, tags or events in the order of their numbers.
    """
    tables = [
        _square(list(found), labels) if name == CLASSES else _questions(name, list(found), labels)
        for name, found in groupby(counts, key=lambda count: count.table)
    ]
    width = max([360.0, 2 * _MARGIN + text_width(f"{task}: answers on validation", 15)] + [t.width for t in tables])
    height = _HEAD + sum(table.height for table in tables) + (0 if tables else 40)
    words = "; ".join(filter(None, (table.words for table in tables))) or "There are no counts"
    svg = new_picture(width, height, f"Confusion matrix of {task}", words)
    add_text(svg, f"{task}: answers on validation", _MARGIN, 34, size=15, weight="600")
    if not tables:
        add_text(svg, "no counts: scores and numbers are not counted", _MARGIN, _HEAD + 8, size=12, fill=MUTED)
    top: float = _HEAD
    for table in tables:
        table.draw(svg, top)
        top += table.height
    return to_text(svg)


@dataclass(frozen=True, slots=True)
class _Table:
    """Counts in rows and columns."""

    note: str
    rows: Sequence[str]
    columns: Sequence[str]
    counts: Mapping[tuple[int, int], int]
    is_square: bool

    @property
    def _is_small(self) -> bool:
        return len(self.columns) <= _FEW

    @property
    def _cell(self) -> float:
        if not self._is_small:
            return _ROW
        figures = widest((f"{count:,}" for count in self.counts.values()), 11)
        return max(48.0, figures + 10, 0 if self._is_slanted else widest(self.columns, 11) + 10)

    @property
    def _is_slanted(self) -> bool:
        """Whether the names of the columns stand upright, since they are long."""
        return self.is_square and (not self._is_small or widest(self.columns, 11) > 110)

    @property
    def _left(self) -> float:
        return _MARGIN + widest([*self.rows, "truth"], 12) + 12

    @property
    def _top(self) -> float:
        return 22 + (widest(self.columns, 11) if self._is_slanted else 16) + 8

    @property
    def width(self) -> float:
        return max(self._left + len(self.columns) * self._cell, _MARGIN + text_width(self.note, 12)) + _MARGIN

    @property
    def height(self) -> float:
        return self._top + len(self.rows) * _ROW + 24

    @property
    def words(self) -> str:
        return "; ".join(
            f"{self.rows[row]} {'taken for' if self.is_square else 'was'} {self.columns[column]}: {count:,}"
            for (row, column), count in sorted(self.counts.items())
        )

    def draw(self, svg: ET.Element, top: float) -> None:
        add_text(svg, self.note, _MARGIN, top, size=12, fill=MUTED)
        first, left, wide = top + self._top, self._left, self._cell
        for number, name in enumerate(self.columns):
            self._draw_column(svg, name, left + (number + 0.5) * wide, first - 6)
        for row, name in enumerate(self.rows):
            y = first + row * _ROW
            add_text(svg, name, left - 8, y + 16, size=12, anchor="end")
            whole = sum(self.counts.get((row, column), 0) for column in range(len(self.columns)))
            for column in range(len(self.columns)):
                self._draw_count(svg, (row, column), (left + column * wide, y, wide), whole)

    def _draw_column(self, svg: ET.Element, name: str, x: float, y: float) -> None:
        if self._is_slanted:
            add_text(svg, name, x + 4, y, size=11).set("transform", f"rotate(-90 {x + 4:g} {y:g})")
        else:
            add_text(svg, name, x, y, size=11, anchor="middle")

    def _draw_count(
        self, svg: ET.Element, cell: tuple[int, int], place: tuple[float, float, float], whole: int
    ) -> None:
        """Draw a count at x, y in a cell of this width."""
        (row, column), (x, y, wide), count = cell, place, self.counts.get(cell, 0)
        share = count / whole if whole else 0.0
        size = {"width": f"{wide - 2:g}", "height": f"{_ROW - 2}", "rx": "2"}
        group = add_element(svg, "g")
        words = f"{self.rows[row]}, {self.columns[column]}: {count:,} ({100 * share:.0f} % of the row)"
        add_element(group, "title", words)
        add_element(group, "rect", x=f"{x:g}", y=f"{y:g}", **size, fill=PAPER, stroke=PALE)
        if count:
            opacity = f"{FAINTEST + (DARKEST - FAINTEST) * share:.2f}"
            add_element(group, "rect", x=f"{x:g}", y=f"{y:g}", **size, fill=STRONG, fill_opacity=opacity)
            if self._is_small:
                add_text(group, f"{count:,}", x + wide / 2 - 1, y + 15, size=11, anchor="middle")


def _name(labels: Sequence[str] | None, number: int) -> str:
    return labels[number] if labels and number < len(labels) else str(number)


def _square(found: Sequence[ConfusionView], labels: Sequence[str] | None) -> _Table:
    size = max([len(labels or ())] + [max(count.truth, count.answer) + 1 for count in found])
    names = [_name(labels, number) for number in range(size)]
    counts = {(count.truth, count.answer): count.count for count in found}
    return _Table("rows: the truth; columns: the answer; darker: a larger share of the row", names, names, counts, True)


_OUTCOMES = {(1, 1): "found", (1, 0): "missed", (0, 1): "false alarm", (0, 0): "rightly absent"}


def _questions(name: str, found: Sequence[ConfusionView], labels: Sequence[str] | None) -> _Table:
    """Return a row for each tag or event, a column for each outcome that occurs."""
    columns = [outcome for outcome in _OUTCOMES if any((count.truth, count.answer) == outcome for count in found)]
    numbers = sorted({count.label for count in found})
    counts = {(numbers.index(count.label), columns.index((count.truth, count.answer))): count.count for count in found}
    rows = [_name(labels, number) for number in numbers]
    return _Table(f"{name}: darker is a larger share of the row", rows, [_OUTCOMES[o] for o in columns], counts, False)
