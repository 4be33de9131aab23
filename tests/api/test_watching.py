"""The middleware that watches requests: log lines of a request name its study."""

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Message, Receive, Scope, Send

from taskgraft import logs
from taskgraft.api.watching import WatchRequests, request_seconds

STUDY = "1k1ggjwac2fchzvr"


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("unexpected")


async def ask(app: WatchRequests, path: str) -> dict[str, str]:
    """The fields of what a server logs when the application raises."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    with pytest.raises(RuntimeError):
        await app({"type": "http", "path": path, "method": "GET"}, receive, send)
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception in ASGI application", None, None)
    logs._add_fields(record)
    return dict(getattr(record, logs._FIELDS))


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (f"/v1/studies/{STUDY}", {"study": STUDY}),
        (f"/v1/studies/{STUDY}/trials", {"study": STUDY}),
        (f"/v1/studies/{STUDY}x", {}),
        ("/v1/studies", {}),
        ("/elsewhere", {}),
    ],
)
def test_what_the_server_logs_after_an_error_names_the_study(path: str, fields: dict[str, str]) -> None:
    registry = CollectorRegistry()
    assert asyncio.run(ask(WatchRequests(failing, request_seconds(registry)), path)) == fields
    labels = {"method": "GET", "route": "unknown", "status": "500"}
    assert registry.get_sample_value("taskgraft_request_seconds_count", labels) == 1
