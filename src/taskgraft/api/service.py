"""The service as a process: the API, and the runner as its child."""

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from types import TracebackType
from typing import Self

import uvicorn

from taskgraft.api.app import create_app, end_waits
from taskgraft.api.connections import server_config
from taskgraft.api.places import check_has_token, make_data_dir
from taskgraft.api.settings import Settings
from taskgraft.errors import Unavailable
from taskgraft.evaluators.memory import keep_for_good
from taskgraft.logs import set_up_logs
from taskgraft.search.running.tracking.tracker import URI_VARIABLE
from taskgraft.search.store import Store

_log = logging.getLogger(__name__)

_SHORTEST, _LONGEST = 1.0, 60.0
"""Seconds to wait before a runner that died starts again: twice as long each time, until one has lived for a while."""
_HEALTHY = 60.0
"""Seconds after which a runner that dies counts as one that had lived."""
_GRACE = 20.0
"""Seconds that the runner has to end in order; after that it is killed."""
_POLL = 0.2


def serve(settings: Settings, *, on_ready: Callable[[str], None] | None = None, with_runner: bool = True) -> None:
    """Serve until SIGINT or SIGTERM; ``on_ready`` is told the URL once requests are answered.

    Without a runner of its own the service only takes and shows studies: runners on other machines work on them.

    Only the main thread of a process may call this, since only it hears signals.

    Raises:
        InvalidInput: others could reach the service, and it has no token to ask for.
        Unavailable: the port is taken, the data folder cannot be written, or the database does not answer.
    """
    set_up_logs(settings.log_format)
    make_data_dir(settings)
    with _listening(settings) as listener, _stopped_by_signals():
        # Opened here first: the API and the runner find a database that is up to date, or neither starts.
        with Store(settings.database_url) as store:
            check_has_token(settings, store)
        app = create_app(settings)
        config = server_config(app, settings, log_config=None, log_level="warning")
        # Not among the arguments, which every user of the machine can read: it may hold a password.
        environment = {"TASKGRAFT_DATABASE_URL": settings.database_url, "TASKGRAFT_LOG_FORMAT": settings.log_format}
        environment[URI_VARIABLE] = settings.mlflow
        with RunnerProcess(runner_command(settings), environment) if with_runner else nullcontext():
            _Server(config, on_ready or (lambda _: None), partial(end_waits, app)).run(sockets=[listener])


def runner_command(settings: Settings) -> list[str]:
    """Return the command that runs queued studies for as long as this process lives."""
    command = [sys.executable, "-m", "taskgraft.api.tether", "taskgraft.search.running.runner"]
    command += ["--data-dir", str(settings.data_dir)]
    given = {"--ray-address": settings.ray_address, "--cores": settings.cores}
    command += ["--train-ahead", str(settings.train_ahead)]
    return command + [part for name, value in given.items() if value for part in (name, str(value))]


class RunnerProcess:
    """A child process that is started again whenever it ends, until the block ends.

    It leads a session of its own, so that Ctrl-C in a terminal reaches the service alone, which then ends the child.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environment = {**os.environ, **environment}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="runner")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _supervise(self) -> None:
        delay = 0.0
        while not self._stopping.is_set():
            started = time.monotonic()
            self._run()
            if self._stopping.is_set():
                return
            delay = next_delay(delay, lived=time.monotonic() - started)
            _log.warning("the runner ended; it starts again in %.0f s", delay)
            self._stopping.wait(delay)

    def _run(self) -> None:
        """Run the child once. Its standard input stays open as long as this process lives; `tether` watches it."""
        with subprocess.Popen(  # noqa: S603
            self._command, env=self._environment, stdin=subprocess.PIPE, start_new_session=True
        ) as child:
            _log.info("the runner is process %d", child.pid)
            while child.poll() is None and not self._stopping.wait(_POLL):
                pass
            _end(child)


def next_delay(before: float, lived: float) -> float:
    """Return the seconds until a runner that died after ``lived`` seconds starts again; ``before`` is the last wait."""
    return _SHORTEST if lived > _HEALTHY else min(max(2 * before, _SHORTEST), _LONGEST)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        _log.warning("the runner does not end; it is killed")
        child.kill()


class _Server(uvicorn.Server):
    """Uvicorn that tells when it answers, and when it begins to stop."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[str], None], on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        keep_for_good()  # each search through what was imported stopped all requests for an eighth of a second
        for listener in sockets or ():
            self._on_ready(_url(listener))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    where = f"port {settings.port} of {settings.host}"
    try:
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"{where} is taken: end the program that listens there, or choose another port"
            ) from error
        raise Unavailable(f"cannot listen at {where}: {error.strerror}") from error
    with listener:
        # Connections inherit it. asyncio sets it itself only on sockets that name their protocol, which this one does
        # not: without it, the body of an answer waits 40 ms for the client to acknowledge the headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """End the block in the same order on SIGTERM and on Ctrl-C; neither is an error."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        _log.info("stopped by a signal")
    finally:
        signal.signal(signal.SIGTERM, before)
