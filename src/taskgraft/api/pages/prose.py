"""Descriptions of the OpenAPI document as HTML: paragraphs, and code between backticks."""

import re

from markupsafe import Markup, escape

_CODE = re.compile(r"(`+)([^`]+)\1")


def to_html(text: str) -> Markup:
    """Return a description as HTML; what it says is never markup.

    >>> to_html("one of `a` and <b>")
    Markup('<p>one of <code>a</code> and &lt;b&gt;</p>')
    """
    paragraphs = (Markup("<p>%s</p>") % _line(part) for part in text.split("\n\n") if part.strip())
    return Markup("").join(paragraphs)


def _line(text: str) -> Markup:
    """Return text whose code is marked: every third part of the split is code, and the one before it its backticks."""
    parts = _CODE.split(text)
    codes = (Markup("<code>%s</code>") % part for part in parts[2::3])
    words = (escape(part) for part in parts[::3])
    return Markup("").join(piece for pair in zip(words, [*codes, ""], strict=True) for piece in pair)
