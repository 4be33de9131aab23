"""What all pictures have in common: their colours, how an element and a line of text are made, how wide text is."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_UNPRINTABLE = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)
"""What XML 1.0 has no way to write, the control characters beside it, and those that turn the direction of text."""


@dataclass(frozen=True, slots=True)
class Colour:
    """A named colour: what it is on light paper, and on dark paper if a stylesheet says so."""

    name: str
    light: str
    dark: str


PAPER = Colour("paper", "#ffffff", "#12181f")
INK = Colour("ink", "#1b2733", "#e4ebf2")
MUTED = Colour("muted", "#5b6b7b", "#9fb0c0")
LINE = Colour("line", "#8aa4c0", "#5d7690")
STRONG = Colour("strong", "#2f6db5", "#4a8fe0")
ON_STRONG = Colour("on-strong", "#ffffff", "#0b1118")
PALE = Colour("pale", "#e3ebf4", "#26323f")
WARNING = Colour("warning", "#9a5b00", "#e0a458")
KEPT = Colour("kept", "#cfe8d9", "#1f4d38")
OPEN = Colour("open", "#fbeecb", "#54481d")
BROKEN = Colour("broken", "#f6cfcf", "#632c2c")
COLOURS = (PAPER, INK, MUTED, LINE, STRONG, ON_STRONG, PALE, WARNING, KEPT, OPEN, BROKEN)

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

_BREAKS = re.compile(r"(?<!≤)\s+(?!%)")
"""Where a line may end."""
_WIDE, _NARROW = frozenset("MWmw@%—"), frozenset("fijlrtI.,:;'|!()[] ")

_REGULAR = 0.9
"""Of the width of bold letters."""


def stylesheet() -> str:
    """Return the CSS that lets a page's colours reach pictures that stand in it.

    Every colour is a custom property, such as ``--tg-strong``, light and dark. An element that is filled with a colour
    has the class ``tg-strong``, one that is drawn with it ``tg-strong-stroke``.
    """
    light = "".join(f"--tg-{colour.name}:{colour.light};" for colour in COLOURS)
    dark = "".join(f"--tg-{colour.name}:{colour.dark};" for colour in COLOURS)
    rules = (
        f".tg-{name}{{fill:var(--tg-{name})}}\n.tg-{name}-stroke{{stroke:var(--tg-{name})}}\n"
        for name in (colour.name for colour in COLOURS)
    )
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{''.join(rules)}"


def new_picture(width: float, height: float, title: str, description: str) -> ET.Element:
    """Return the root of a standalone picture of so many pixels, with its paper and what it shows in words."""
    width, height = round(width, 1), round(height, 1)
    size = {"width": f"{width:g}", "height": f"{height:g}", "viewBox": f"0 0 {width:g} {height:g}"}
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": FONT, **size})
    add_element(svg, "title", title)
    add_element(svg, "desc", description)
    add_element(svg, "rect", width="100%", height="100%", fill=PAPER)
    return svg


def add_element(parent: ET.Element, tag: str, text: str | None = None, **attributes: str | Colour) -> ET.Element:
    """Add an element and return it; ``fill`` and ``stroke`` may be colours, which become a class as well.

    An underscore in the name of an attribute stands for a hyphen.
    """
    element = ET.SubElement(parent, tag)
    classes = []
    for name, value in attributes.items():
        if isinstance(value, Colour):
            classes.append(f"tg-{value.name}{'' if name == 'fill' else f'-{name}'}")
            value = value.light  # noqa: PLW2901
        element.set(name.replace("_", "-"), value)
    if classes:
        element.set("class", " ".join(classes))
    element.text = None if text is None else printable(text)
    return element


def printable(text: str) -> str:
    """Return a text without characters that XML can't write, not even escaped, or that turn the text around them."""
    return _UNPRINTABLE.sub("\ufffd", text)


def add_text(
    svg: ET.Element,
    words: str,
    x: float,
    y: float,
    *,
    size: int,
    fill: Colour = INK,
    weight: str = "400",
    anchor: str = "start",
) -> ET.Element:
    """Add a line of text whose baseline starts, or ends, at a point."""
    style = {"font_size": f"{size}", "font_weight": weight, "text_anchor": anchor}
    return add_element(svg, "text", words, x=f"{round(x, 1):g}", y=f"{round(y, 1):g}", fill=fill, **style)


def add_line(
    svg: ET.Element, path: str, *, stroke: Colour = LINE, width: float = 2, dashes: str | None = None
) -> ET.Element:
    """Add a line along a path."""
    style = {"stroke_dasharray": dashes} if dashes else {}
    return add_element(svg, "path", d=path, fill="none", stroke=stroke, stroke_width=f"{width:g}", **style)


def text_width(words: str, size: float, *, bold: bool = True) -> float:
    """Return how many pixels a line of text takes at most, in the fonts that pictures name."""
    return size * sum(map(_letter_width, words)) * (1 if bold else _REGULAR)


def _letter_width(letter: str) -> float:
    """Return the width of a letter, as a part of the font's size; figures of DejaVu Sans Bold, which is a wide font."""
    if letter in _NARROW:
        return 0.48
    if letter in _WIDE:
        return 1.12
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.4
    return 0.86 if letter.isupper() or not letter.isascii() else 0.72


def wrap(words: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """Return a text as lines that are no wider than ``width``, as far as its words allow; a figure keeps its sign.

    >>> wrap("they lose ≤ 3.1 %", 10, 60)
    ['they lose', '≤ 3.1 %']
    """
    lines: list[str] = []
    for word in unbreakable(words):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]


def unbreakable(words: str) -> list[str]:
    """Return the parts of a text that stay in one line."""
    return _BREAKS.split(words.strip())


def hatching(x: float, y: float, width: float, height: float, step: float = 7) -> str:
    """Return the path of slanted lines across a rectangle.

    They are drawn line by line: a pattern needs an id, which has to be unique in a page with many pictures.
    """
    return "".join(_slants(x, y, width, height, step))


def _slants(x: float, y: float, width: float, height: float, step: float) -> Iterator[str]:
    offset = step
    while offset < width + height:
        left, right = max(0.0, offset - height), min(width, offset)
        yield f"M{x + left:g} {y + offset - left:g}L{x + right:g} {y + offset - right:g}"
        offset += step


def widest(lines: Iterable[str], size: float) -> float:
    """Return the width of the widest of some lines, 0 if there are none."""
    return max((text_width(line, size) for line in lines), default=0.0)


def to_text(svg: ET.Element) -> str:
    """Return a picture as it is written to a file."""
    return ET.tostring(svg, encoding="unicode", xml_declaration=False)
