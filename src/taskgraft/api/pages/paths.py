"""Which requests are for pages: an error is a page for these, and problem details for all others."""

from starlette.datastructures import Headers
from starlette.types import Scope

_READING = frozenset({"GET", "HEAD"})
_MACHINES = ("/v1/", "/static/", "/healthz", "/readyz", "/metrics", "/openapi.json")
"""Beginnings of paths that programs read, or that hold no page."""


def is_page(path: str) -> bool:
    """Return whether a path may hold a page.

    >>> is_page("/studies/unknown"), is_page("/v1/studies/unknown")
    (True, False)
    """
    return not path.startswith(_MACHINES)


def wants_page(scope: Scope) -> bool:
    """Return whether a request is for a page, by somebody who reads HTML: browsers say so, programs rarely do."""
    if scope["type"] != "http" or scope["method"] not in _READING or not is_page(scope["path"]):
        return False
    return "text/html" in Headers(scope=scope).get("accept", "")
