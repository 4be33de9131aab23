"""What stands below a drawn tree: the legend, why tasks part, a caption, and what is not known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree as ET

from taskgraft.space.branching import describe_unknown
from taskgraft.space.pictures.costs import COST_NOTE
from taskgraft.space.pictures.tree_words import Reason, unknown_words
from taskgraft.svg import (
    INK,
    LINE,
    MUTED,
    PALE,
    PAPER,
    STRONG,
    WARNING,
    Colour,
    add_element,
    add_text,
    text_width,
    unbreakable,
    wrap,
)

_INDENT, _LEGEND_ROW, _BORDER = 22, 20, 14
_LEGEND = (("shared block", STRONG, STRONG), ("block of one task", PALE, LINE))


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text below the picture, with a mark before it if it is about a branching, and details that a pointer shows."""

    lines: tuple[str, ...]
    size: int = 12
    fill: Colour = INK
    weight: str = "400"
    reason: Reason | None = None
    details: str | None = None

    @property
    def indent(self) -> int:
        """Room for the mark."""
        return _INDENT if self.reason else 0

    @property
    def height(self) -> int:
        """Room for the lines, and above them."""
        return len(self.lines) * (self.size + 6) + 4

    def broken(self, width: float) -> "Paragraph":
        """Return the paragraph with lines of at most this width."""
        return replace(
            self, lines=tuple(wrap(" ".join(self.lines), self.size, width - self.indent, bold=self.weight == "600"))
        )


@dataclass(frozen=True, slots=True)
class Footnotes:
    """All that stands below a tree."""

    paragraphs: Sequence[Paragraph]

    @classmethod
    def of(
        cls, document: Mapping[str, Any], caption: str | None, why: Mapping[frozenset[str], Reason], *, with_costs: bool
    ) -> "Footnotes":
        """Return what the tree form says beside its tree, every paragraph in one line."""
        found = [Paragraph((COST_NOTE,), 11, MUTED)] if with_costs else []
        found += [Paragraph((reason.note,), reason=reason) for reason in why.values()]
        if caption:
            found.append(Paragraph((caption,), 14, weight="600"))
        if unknown := unknown_words(document):
            found.append(Paragraph((unknown,), fill=WARNING, details=describe_unknown(document["unknown"])))
        return cls(found)

    @property
    def sentences(self) -> list[str]:
        """Why tasks part, and which."""
        return [f"{paragraph.reason.words}." for paragraph in self.paragraphs if paragraph.reason]

    @property
    def least_width(self) -> float:
        """The width of the longest word: no line can be narrower."""
        return max((width for note in self.paragraphs for width in _word_widths(note)), default=0)

    @property
    def height(self) -> float:
        """Room for everything, the border included."""
        return _LEGEND_ROW * len(_LEGEND) + sum(note.height for note in self.paragraphs) + _BORDER

    def broken(self, width: float) -> "Footnotes":
        """Return the same in lines of at most this width."""
        return Footnotes([paragraph.broken(width) for paragraph in self.paragraphs])

    def draw(self, svg: ET.Element, x: float, top: float) -> None:
        """Draw everything below ``top``."""
        for row, (words, fill, stroke) in enumerate(_LEGEND):
            y = top + _LEGEND_ROW * (row + 1) - 4
            box = {"x": f"{x:g}", "y": f"{y - 10:g}", "width": "16", "height": "12", "rx": "3"}
            add_element(svg, "rect", **box, fill=fill, stroke=stroke)
            add_text(svg, words, x + _INDENT, y, size=12, fill=MUTED)
        y = top + _LEGEND_ROW * len(_LEGEND)
        for paragraph in self.paragraphs:
            _draw_paragraph(svg, paragraph, x, y)
            y += paragraph.height


def _word_widths(note: Paragraph) -> Iterator[float]:
    for word in unbreakable(" ".join(note.lines)):
        yield note.indent + text_width(word, note.size)


def _draw_paragraph(svg: ET.Element, note: Paragraph, x: float, top: float) -> None:
    for number, line in enumerate(note.lines, 1):
        y = top + 2 + number * (note.size + 6)
        text = add_text(svg, line, x + note.indent, y, size=note.size, fill=note.fill, weight=note.weight)
        if note.details:
            add_element(text, "title", note.details)
    if note.reason:
        add_mark(svg, note.reason, x + 7, top + note.size + 4)


def add_mark(svg: ET.Element, reason: Reason, x: float, y: float) -> None:
    """Add the number of a branching, in a circle about a point."""
    group = add_element(svg, "g")
    add_element(group, "title", f"{reason.words}.")
    add_element(group, "circle", cx=f"{x:g}", cy=f"{y:g}", r="7.5", fill=PAPER, stroke=WARNING)
    add_text(group, str(reason.number), x, y + 3.5, size=10, fill=WARNING, weight="600", anchor="middle")
