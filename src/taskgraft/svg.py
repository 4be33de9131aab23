"""What all pictures have in common: their colours, and how an element and a line of text are made."""

from xml.etree import ElementTree as ET

STRONG, PALE, LINE, INK, MUTED, WARNING = "#2f6db5", "#e3ebf4", "#8aa4c0", "#1b2733", "#5b6b7b", "#9a5b00"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def new_picture(width: float, height: float) -> ET.Element:
    """Return the root of a standalone picture of so many pixels."""
    size = {"width": f"{width}", "height": f"{height}", "viewBox": f"0 0 {width} {height}"}
    return ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": FONT, **size})


def add_element(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    """Add an element and return it."""
    # XML has no way to write control characters, not even escaped.
    printable = None if text is None else "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    element = ET.SubElement(parent, tag, attributes)
    element.text = printable
    return element


def add_text(
    svg: ET.Element,
    words: str,
    x: float,
    y: float,
    *,
    size: int,
    fill: str = INK,
    weight: str = "400",
    anchor: str = "start",
) -> ET.Element:
    """Add a line of text whose baseline starts, or ends, at a point."""
    style = {"font-size": f"{size}", "fill": fill, "font-weight": weight, "text-anchor": anchor}
    return add_element(svg, "text", words, x=f"{x}", y=f"{y}", **style)


def to_text(svg: ET.Element) -> str:
    """Return a picture as it is written to a file."""
    return ET.tostring(svg, encoding="unicode", xml_declaration=False)
