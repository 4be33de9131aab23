"""Who sends a request: this service's own pages and programs may, other pages in a user's browser may not."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from taskgraft.api.middleware.answers import CLOSE, answer_error, refuse
from taskgraft.api.middleware.hosts import Hosts
from taskgraft.errors import Forbidden

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})
"""Values of ``Sec-Fetch-Site`` for the service's own pages, and for addresses that a user types."""
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
"""What a form of any page can send without being asked (the types that CORS calls simple)."""


class OriginCheck:
    """Middleware that refuses what other pages send (403), and what forms could send (415).

    Browsers name the sender in ``Origin`` and ``Sec-Fetch-Site``; programs send neither.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its sender may send it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, is_safe = Headers(scope=scope), scope["method"] in _SAFE
        if self._is_foreign(headers, is_safe):
            await answer_error(Forbidden("another web page sent this request"))(scope, receive, send)
        elif not is_safe and _media_type(headers) in _FORMS:
            await refuse(415, "a form can't change anything here: send JSON or a zip", CLOSE)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_foreign(self, headers: Headers, is_safe: bool) -> bool:
        origin = headers.get("origin")
        if origin is not None and not is_safe:
            return not self._is_own(origin, headers.get("host", ""))
        # A page can also embed what is here, or ask for it again and again; only following a link is fine.
        is_link = is_safe and headers.get("sec-fetch-mode") == "navigate"
        return headers.get("sec-fetch-site", "none") not in _OWN_SITES and not is_link

    def _is_own(self, origin: str, host: str) -> bool:
        scheme, _, name = origin.lower().partition("://")
        return scheme in ("http", "https") and (name == host.lower() or self._hosts.is_allowed(name))


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
