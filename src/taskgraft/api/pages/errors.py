"""Errors as pages: whatever answers a page's request with problem details, it is shown in the look of the pages."""

import json
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskgraft.api.pages.paths import wants_page
from taskgraft.api.pages.rendering import render
from taskgraft.api.problems import MEDIA_TYPE, Problem

_KEPT = ("www-authenticate", "retry-after", "connection", "allow")
"""Headers of an error that hold for its page too."""
_ADVICE: Mapping[int, str] = {
    403: "A token with a wider scope may do this; whoever runs the service makes one.",
    404: "It may have been deleted, or the address may be mistyped.",
    409: "The page before shows the present state.",
    422: "Correct the address, or start from the list of studies.",
    503: "Nothing is lost. This page tries again by itself.",
}


def error_page(request: Request, problem: Problem) -> Response:
    """Return a problem as a page; one that asks for a token is the page to sign in."""
    if problem.status == 401:
        return render(request, "sign_in.html", 401)
    advice = _ADVICE.get(problem.status, "")
    return render(request, "error.html", problem.status, problem=problem, advice=advice)


class ErrorPages:
    """Middleware that turns problem details into pages, for requests of pages alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; send its answer as it is, or the page of its problem."""
        if not wants_page(scope):
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, receive, send)
        await self._app(scope, receive, answer.send)


class _Answer:
    """An answer on its way: one with problem details is held back until it is whole."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on, or keep it."""
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._page(self._start)(self._scope, self._receive, self._send)

    def _page(self, start: Message) -> Response:
        headers = MutableHeaders(scope=start)
        page = error_page(Request(self._scope), Problem.model_validate(json.loads(self._body)))
        page.headers.update({name: headers[name] for name in _KEPT if name in headers})
        return page


def _is_problem(start: Message) -> bool:
    return MutableHeaders(scope=start).get("content-type", "").startswith(MEDIA_TYPE)
