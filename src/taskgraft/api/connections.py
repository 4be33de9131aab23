"""Connections: how many a service holds, and how long each may keep it waiting.

uvicorn bounds none of this: a client that opens a connection and says nothing would keep it for ever, and a thousand of
them would take every file descriptor that the process may have.
"""

import asyncio
import json
import resource
from dataclasses import dataclass, replace
from typing import Any, cast

import h11
from starlette.applications import Starlette
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from taskgraft.api.middleware.headers import HEADERS
from taskgraft.api.problems import MEDIA_TYPE, plain_problem
from taskgraft.api.settings import Settings

_FILES_EACH = 3
"""Descriptors that a connection may take: its socket, and a file that is sent, or an upload with its lock."""
_FILES_ELSE = 64
"""Descriptors of everything else: the database, the program, the log."""
_FEWEST = 8
_BACKLOG = 128
"""Connections that the system may hold for us, and that are taken at once: each may be one too many for a moment."""
_DRAIN = 6
"""Seconds that open answers may take when the service stops."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections there may be, and the seconds for a request's head and for the next part of an answer."""

    connections: int
    head_seconds: float
    answer_seconds: float


class BoundedProtocol(H11Protocol):
    """HTTP on one connection, with limits.

    The connection is closed if no whole head of a request has arrived ``head_seconds`` after it was opened, or after
    the answer before; and if the client takes nothing of an answer for ``answer_seconds``. If there are too many, the
    one that has waited longest for a request makes room; if none waits, the new one is refused.
    """

    limits: ConnectionLimits
    _head_timer: asyncio.TimerHandle | None = None
    _answer_timer: asyncio.TimerHandle | None = None

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, if there is room for it."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections and not self._make_room():
            self._refuse(503, "too many connections; try again later")
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        for timer in (self._head_timer, self._answer_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to take what was written."""
        super().pause_writing()
        self._answer_timer = self.loop.call_later(self.limits.answer_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Write on."""
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; there is nobody else to do it."""
        self._refuse(400, msg)

    def _watch(self) -> None:
        """Have the timer run while no request is being answered, whatever trickles in."""
        if self.transport.is_closing() or not self._is_idle:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_seconds, self._end_waiting)

    def _end_waiting(self) -> None:
        if not self.transport.is_closing():
            has_begun = self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]
            self._refuse(408, "the request comes too slowly") if has_begun else self.transport.close()

    def _make_room(self) -> bool:
        others = [cast("BoundedProtocol", other) for other in self.connections if other is not self]
        waiting = [other for other in others if other._head_timer is not None]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda other: cast("asyncio.TimerHandle", other._head_timer).when())
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True

    def _refuse(self, status: int, detail: str) -> None:
        """Answer on the bare connection, and close it."""
        problem = plain_problem(status, detail)
        body = json.dumps(problem.model_dump(exclude_none=True)).encode()
        fields = {**HEADERS, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close"}
        head = [f"HTTP/1.1 {status} {problem.title}", *(f"{name}: {value}" for name, value in fields.items())]
        self.transport.write("\r\n".join([*head, "", ""]).encode("ascii") + body)
        self.transport.close()


def server_config(app: Starlette, settings: Settings, **options: Any) -> Config:
    """Return how uvicorn serves ``app`` within the limits of ``settings`` and of this process; ``options`` are its own.

    The limit of open files is raised as far as the connections need it and the system allows; there are fewer
    connections if it does not.
    """
    most = max((raise_file_limit(settings.connections) - _FILES_ELSE) // _FILES_EACH, _FEWEST)
    limits = ConnectionLimits(settings.connections, settings.head_seconds, settings.answer_seconds)
    limits = replace(limits, connections=min(settings.connections, most))
    return Config(
        app,
        http=type("_Protocol", (BoundedProtocol,), {"limits": limits}),
        ws="none",
        backlog=_BACKLOG,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN,
        **options,
    )


def raise_file_limit(connections: int) -> int:
    """Let this process have the open files that so many connections need; return how many it may have now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections * _FILES_EACH + _FILES_ELSE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
