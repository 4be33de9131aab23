"""What holds for every picture."""

from xml.etree import ElementTree as ET

from taskgraft.svg import COLOURS, text_width

SVG = "{http://www.w3.org/2000/svg}"
ODD_NAMES = ("<script>alert(1)</script>", "\"quoted\" & 'so'", "שלום-עולם", "a\x00b\u202ec", "長い名前" * 8, "W" * 64)
"""Names that could become markup, run out of a picture, or turn it around."""
_TAGS = {"svg", "title", "desc", "g", "rect", "circle", "path", "text"}


def read_picture(svg: str) -> ET.Element:
    """The picture, which is one that may stand in a page with a strict policy, and in a file of its own."""
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text
    assert root[1].text
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in _TAGS
        assert not {name for name in element.attrib if name in {"style", "id", "href"} or name.startswith("on")}
        _check_colours(element)
    for text in root.iter(f"{SVG}text"):
        _check_place(text, float(root.get("width", "0")), float(root.get("height", "0")))
    return root


def _check_colours(element: ET.Element) -> None:
    """Every colour is a plain attribute, and a class for the page's own."""
    classes = (element.get("class") or "").split()
    for attribute, ending in (("fill", ""), ("stroke", "-stroke")):
        colour = element.get(attribute)
        if colour not in (None, "none"):
            named = {f"tg-{known.name}{ending}" for known in COLOURS if known.light == colour}
            assert named.intersection(classes), colour


def _check_place(text: ET.Element, width: float, height: float) -> None:
    assert 0 <= float(text.get("y", "-1")) <= height
    if text.get("transform"):
        return
    bold = text.get("font-weight") == "600"
    long = text_width(text.text or "", float(text.get("font-size", "0")), bold=bold)
    before = {"start": 0.0, "middle": long / 2, "end": long}[text.get("text-anchor", "start")]
    left = float(text.get("x", "-1")) - before
    assert left >= 0, text.text
    assert left + long <= width, text.text


def texts(svg: str) -> list[str]:
    """Every line of text in a picture."""
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def contrast(one: str, other: str) -> float:
    """How well one colour can be told from another (WCAG 2.2)."""
    first, second = sorted(map(_luminance, (one, other)))
    return (second + 0.05) / (first + 0.05)


def blend(over: str, under: str, opacity: float) -> str:
    """The colour that is seen if one lies over another."""
    pairs = [(int(over[place : place + 2], 16), int(under[place : place + 2], 16)) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(opacity * above + (1 - opacity) * below):02x}" for above, below in pairs)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
