"""Connections that say nothing, too little, or are too many: they end, and the service goes on answering."""

import asyncio
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from taskgraft.api import connections
from taskgraft.api.app import create_app
from taskgraft.api.connections import BoundedProtocol, raise_file_limit, server_config
from taskgraft.api.middleware import bodies
from taskgraft.api.settings import Settings
from tests.api.conftest import serving
from tests.api.datasets import wait_until

SHORT = 0.3
CONNECTIONS = 8
PATIENCE = 20.0
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\n"


@dataclass
class Held:
    """Requests that are answered when the test wants it."""

    count: int = 0
    released: threading.Event = field(default_factory=threading.Event)


@pytest.fixture(scope="module")
def held() -> Held:
    return Held()


@pytest.fixture(scope="module")
def url(settings: Settings, held: Held) -> Iterator[str]:
    """A service for few connections and impatient ones."""
    short = replace(settings, connections=CONNECTIONS, head_seconds=SHORT, body_seconds=SHORT, answer_seconds=SHORT)
    app = create_app(short)

    @app.get("/large")
    def large() -> str:
        return "x" * 30_000_000

    @app.get("/held")
    async def hold() -> None:
        held.count += 1
        while not held.released.is_set():
            await asyncio.sleep(0.01)

    with serving(app) as url:
        yield url


@contextmanager
def connection(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=PATIENCE) as raw:
        yield raw


def head(url: str) -> bytes:
    return HEAD % (urlsplit(url).port or 0)


def read_all(raw: socket.socket) -> bytes:
    """What comes until the other side closes."""
    content = b""
    try:
        while part := raw.recv(1 << 16):
            content += part
    except ConnectionResetError:
        pass
    return content


def test_a_connection_that_says_nothing_is_closed(url: str) -> None:
    with connection(url) as raw:
        assert read_all(raw) == b""


def test_a_head_that_never_ends_is_refused(url: str) -> None:
    with connection(url) as raw:
        raw.sendall(head(url))
        answer = read_all(raw)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert b"nosniff" in answer


def trickle(raw: socket.socket, content: bytes) -> bytes:
    """Send the same again and again, and return what comes until the other side closes."""
    raw.setblocking(False)
    answer, deadline = b"", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(SHORT / 10)
        with suppress(OSError):
            raw.sendall(content)
        try:
            part = raw.recv(1 << 16)
        except BlockingIOError:
            continue
        except ConnectionResetError:
            return answer
        if not part:
            return answer
        answer += part
    raise AssertionError("the connection stays open")


def test_a_head_that_trickles_in_is_refused_too(url: str) -> None:
    with connection(url) as raw:
        raw.sendall(head(url))
        assert trickle(raw, b"X-A: b\r\n").startswith(b"HTTP/1.1 408 ")


def test_a_second_request_has_as_long_as_the_first(url: str) -> None:
    with connection(url) as raw:
        raw.sendall(head(url) + b"\r\n")
        assert raw.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        raw.sendall(head(url))
        assert b"HTTP/1.1 408 " in read_all(raw)


def test_a_body_that_trickles_in_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BYTES_PER_SECOND", 1_000_000)
    for method, path, kind in (("POST", "studies", "json"), ("PUT", "datasets/slow", "zip")):
        start = head(url).replace(b"GET /healthz", f"{method} /v1/{path}".encode())
        with connection(url) as raw:
            raw.sendall(start + f"Content-Type: application/{kind}\r\nContent-Length: 900000\r\n\r\n".encode())
            answer = trickle(raw, b" " * 10)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"the body comes too slowly" in answer


def test_the_rest_of_a_body_that_nobody_reads_does_not_hold_the_connection(url: str) -> None:
    start = head(url).replace(b"GET /healthz", b"POST /v1/nothing")
    with connection(url) as raw:
        raw.sendall(start + b"Content-Length: 900000\r\n\r\n")
        assert trickle(raw, b"x").startswith(b"HTTP/1.1 404 ")


def test_a_client_that_does_not_take_its_answer_is_left(url: str) -> None:
    with connection(url) as raw:
        raw.sendall(head(url).replace(b"/healthz", b"/large") + b"\r\n")
        time.sleep(5 * SHORT)
        assert len(read_all(raw)) < 30_000_000


def test_a_body_that_keeps_coming_is_waited_for(url: str) -> None:
    def slowly() -> Iterator[bytes]:
        for _ in range(4):
            time.sleep(SHORT / 2)
            yield b" " * 8_192

    answer = httpx.post(f"{url}/v1/studies", content=slowly(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_idle_connections_make_room_for_new_ones(url: str) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connection(url)) for _ in range(100)]
        for _ in range(3):
            assert httpx.get(f"{url}/healthz").status_code == 200
        assert all(read_all(raw) == b"" for raw in idle)


def test_a_service_whose_connections_are_all_busy_says_so(url: str, held: Held) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            raw = stack.enter_context(connection(url))
            raw.sendall(head(url).replace(b"/healthz", b"/held") + b"\r\n")
        wait_until(lambda: held.count == CONNECTIONS)
        answer = httpx.get(f"{url}/healthz")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "too many connections; try again later"
        assert answer.headers["connection"] == "close"
        held.released.set()
        assert read_all(raw).startswith(b"HTTP/1.1 200 ")
    assert httpx.get(f"{url}/healthz").status_code == 200


def test_the_limit_of_open_files_is_raised_as_far_as_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    raised = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4_096))
    assert raise_file_limit(512) == 1_600
    assert raise_file_limit(10_000) == 4_096
    assert raised == [(1_600, 4_096), (4_096, 4_096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100_000, 100_000))
    assert raise_file_limit(512) == 1_600
    assert len(raised) == 2


@pytest.mark.parametrize(("files", "most"), [(1_600, 512), (1_024, 320), (20, 8)])
def test_there_are_never_more_connections_than_files(
    files: int, most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connections, "raise_file_limit", lambda _: files)
    settings = Settings(data_dir=tmp_path)
    protocol = server_config(create_app(settings), settings).http
    assert isinstance(protocol, type)
    assert issubclass(protocol, BoundedProtocol)
    assert protocol.limits.connections == most
