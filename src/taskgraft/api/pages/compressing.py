"""Pages are compressed on their way: a matrix of twenty tasks is mostly repetition."""

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from taskgraft.api.pages.paths import is_page
from taskgraft.api.problems import MEDIA_TYPE

_LEAST = 1_000
"""Bytes below which compressing is not worth it."""
_LEVEL = 4
_LEFT = (*DEFAULT_EXCLUDED_CONTENT_TYPES, MEDIA_TYPE)
"""What is never compressed: problem details are read on their way, and become pages."""


class CompressPages:
    """Middleware that compresses pages, and what belongs to them, for clients that take it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressing = GZipMiddleware(app, minimum_size=_LEAST, compresslevel=_LEVEL, exclude_content_types=_LEFT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; what programs read is left as it is."""
        is_ours = scope["type"] == "http" and (is_page(scope["path"]) or scope["path"].startswith("/static/"))
        await (self._compressing if is_ours else self._app)(scope, receive, send)
