"""Formats of pictures beside SVG, which need the extra `report`."""

# ruff: noqa: PLC0415  # whoever wants SVG alone does not need the extra
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from importlib.util import find_spec

from taskgraft.errors import InvalidInput

EXTRA = "report"
_SCALE = 2
"""Pixels of a PNG for each of the picture."""

Convert = Callable[[str], bytes]


class Format(StrEnum):
    """A format of pictures as files."""

    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


def converters(formats: Iterable[Format]) -> Mapping[Format, Convert]:
    """Return what makes each format of an SVG; SVG itself is always among them.

    Raises:
        InvalidInput: a format needs the extra `report`, which is not installed.
    """
    wanted = dict.fromkeys([Format.SVG, *formats])
    if wanted.keys() - {Format.SVG} and find_spec("vl_convert") is None:
        lacks = ", ".join(found for found in wanted if found is not Format.SVG)
        raise InvalidInput.at("format", f'{lacks} needs vl-convert-python: pip install "taskgraft[{EXTRA}]"')
    return {found: _CONVERTERS[found] for found in wanted}


def _to_svg(svg: str) -> bytes:
    return svg.encode()


def _to_png(svg: str) -> bytes:
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg, scale=_SCALE))


def _to_pdf(svg: str) -> bytes:
    import vl_convert

    return bytes(vl_convert.svg_to_pdf(svg))


_CONVERTERS: Mapping[Format, Convert] = {Format.SVG: _to_svg, Format.PNG: _to_png, Format.PDF: _to_pdf}


def read_formats(names: Iterable[str]) -> list[Format]:
    """Read names of formats.

    Raises:
        InvalidInput: a name that is none of them.
    """
    known = [found.value for found in Format]
    if unknown := [name for name in names if name not in known]:
        raise InvalidInput.at("format", f"one of {', '.join(known)}; got {unknown[0]!r:.80}")
    return [Format(name) for name in names]
