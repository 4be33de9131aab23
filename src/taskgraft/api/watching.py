"""Middleware that counts requests and how long they take, and has log lines of a request name its study."""

import re
import time
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskgraft.logs import log_request_as

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STUDY = re.compile(r"/v1/studies/([0-9a-z]{16})(/|$)")
_UNKNOWN = "unknown"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def request_seconds(registry: CollectorRegistry) -> Histogram:
    """Return a histogram for `WatchRequests`, whose numbers are read from the registry."""
    # The library would add a series to each that says when it began.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return Histogram(
        "taskgraft_request_seconds",
        "Seconds until a request was answered, by this process of the service.",
        ("method", "route", "status"),
        buckets=_BOUNDS,
        registry=registry,
    )


class WatchRequests:
    """Middleware that adds every request to a histogram, by method, route template and status.

    Paths that no route has count together, as do unknown methods: whoever asks for them must not make new numbers.
    """

    def __init__(self, app: ASGIApp, seconds: Histogram) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and measure it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if study := _STUDY.match(scope["path"]):
            log_request_as(study=study[1])
        status = 500  # of one that raises: the answer is made further out

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        start = time.perf_counter()
        try:
            await self._app(scope, receive, noting)
        finally:
            labels = self._seconds.labels(_method(scope), _route(scope), str(status))
            labels.observe(time.perf_counter() - start)


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in _METHODS else _UNKNOWN


def _route(scope: Scope) -> str:
    """Return the template of the route that answered; the router leaves it in the scope."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", _UNKNOWN))
