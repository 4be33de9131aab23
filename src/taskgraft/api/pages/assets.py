"""The style sheets and the scripts: their addresses hold a digest of their content, so that browsers may keep them."""

from functools import cache
from hashlib import sha256
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from taskgraft import svg
from taskgraft.errors import NotFound

router = APIRouter(include_in_schema=False)

_SHEET = "taskgraft.css"
_SCRIPTS = ("common.js", "taskgraft.js", "asking.js", "datasets.js", "faults.js", "reference.js", "study_form.js")
_TYPES = dict.fromkeys(_SCRIPTS, "text/javascript") | dict.fromkeys((_SHEET, "forms.css"), "text/css")
_FOR_EVER = "public, max-age=31536000, immutable"
"""Of an address with the digest of what is there: it never has other content."""


@cache
def content(name: str) -> bytes:
    """Return what a file holds; the style sheet begins with the colours of the pictures."""
    written = files("taskgraft.api.pages").joinpath("static", name).read_bytes()
    return svg.stylesheet().encode() + written if name == _SHEET else written


@cache
def digest(name: str) -> str:
    """Return a digest of what a file holds."""
    return sha256(content(name)).hexdigest()[:16]


def address(name: str) -> str:
    """Return where a file is."""
    return f"/static/{digest(name)}/{name}"


@router.get("/static/{shown}/{name}")
async def get_asset(shown: str, name: str) -> Response:
    """Return a file; after an update, pages that are still open ask for one with another digest."""
    if name not in _TYPES:
        raise NotFound(f"there is no file {name!r:.80}")
    caching = _FOR_EVER if shown == digest(name) else "no-cache"
    return Response(content(name), media_type=_TYPES[name], headers={"Cache-Control": caching})
