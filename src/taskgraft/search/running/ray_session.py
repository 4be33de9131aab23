"""Ray for the time of a study: a cluster that is there, or a local one of as few processes as will do."""

import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import MappingProxyType
from typing import Any

import psutil
import ray
import torch
from ray._private.node import Node

from taskgraft.errors import Unavailable
from taskgraft.search.running.ray_private import on_loopback, own_token
from taskgraft.search.study.machines import THIS_MACHINE, Machines, usable_cores

_log = logging.getLogger(__name__)

_OBJECT_STORE_BYTES = 256 * 2**20
_CONNECT_SECONDS = 10.0
_ATTEMPTS = 3
_SETTINGS = MappingProxyType(
    {
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_AIR_NEW_OUTPUT": "0",  # the new one prints a box with the configuration, whatever its verbosity
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_prestart_worker_first_driver": "0",  # those would not have our runtime environment: nobody would use them
        "RAY_worker_niceness": "0",  # by default workers give way to all else on the machine, and trainings starve
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": "3600",
        "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # by default workers start one after the other; `_Asking` knows how many
    }
)
"""What Ray and Tune read from the environment; a user's own settings go first."""
_UNUSED = ("start_log_monitor", "start_monitor", "start_api_server")
"""Methods of Ray's node that start a process each: for logs in the driver, autoscaling, and the dashboard."""
_END_AGENTS = 'read -r line || kill -9 "$@"'
"""Shell: wait for a line, or for the end of the process that would write it."""


@contextmanager
def ray_session(machines: Machines = THIS_MACHINE) -> Iterator[None]:
    """Provide Ray for the time of this block: a cluster, or a local one on this machine.

    A local one listens on loopback alone, and has a token of its own. At a cluster the user's token is shown
    (``RAY_AUTH_MODE`` and ``RAY_AUTH_TOKEN``).

    Raises:
        Unavailable: the cluster does not answer, or a local one can't start.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    address = machines.address
    if address:
        _check_answers(address)
    with ExitStack() as session:
        try:
            if address:
                _init(address=address)
            else:
                session.enter_context(own_token())
                with on_loopback():
                    _start_local(machines.cores)
        except Exception as error:  # Ray raises whatever the layer below it raised
            raise Unavailable(f"Ray does not start ({address or 'local'}): {error}") from error
        session.callback(_shut_down)
        with _agents_end_with_us():
            yield


def _start_local(cores: int | None) -> None:
    """Start a local Ray; again if one of its processes dies meanwhile, since a study would pause for want of it."""
    for attempt in range(_ATTEMPTS):
        try:
            # Without "local", Ray would look for a cluster that somebody else started on this machine.
            _init(address="local", **_local_settings(cores))
            return
        except Exception as error:  # Ray raises whatever the layer below it raised
            _shut_down()
            if attempt + 1 == _ATTEMPTS:
                raise
            _log.warning("Ray did not start, and is started again: %s", error)


def _init(**settings: Any) -> None:
    with _own_sigterm(), _few_processes():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **settings)


def _shut_down() -> None:
    with _own_sigterm():
        ray.shutdown()


def _local_settings(cores: int | None) -> dict[str, Any]:
    return {
        "num_cpus": cores or usable_cores(),
        "num_gpus": _local_gpus(),
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
        "runtime_env": {
            # Ray hands this to a shell as it is: a path with a space in it would end at the space.
            "py_executable": shlex.quote(sys.executable),
            "worker_process_setup_hook": "taskgraft.search.running.startup.prepare_worker",
        },
    }


def _local_gpus() -> int:
    """Return the GPUs of this machine that torch can use: Ray alone would also count those that it can't."""
    return torch.cuda.device_count()


def count_gpus(machines: Machines = THIS_MACHINE) -> float:
    """Return how many GPUs trainings can have: those of a cluster, or of this machine.

    Raises:
        Unavailable: the cluster does not answer.
    """
    if machines.address is None:
        return _local_gpus()
    with ray_session(machines):
        return float(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]


@contextmanager
def _few_processes() -> Iterator[None]:
    """Keep a local Ray from starting what a study does not use: half a second of imports each.

    There are no settings for it. A version of Ray without these methods starts what it likes.
    """
    known = {name: method for name in _UNUSED if (method := getattr(Node, name, None))}
    for name in known:
        setattr(Node, name, _start_nothing)
    try:
        yield
    finally:
        for name, method in known.items():
            setattr(Node, name, method)


def _start_nothing(node: Node, **options: Any) -> None:
    """Stand in for a method of Ray's node that starts a process."""


@contextmanager
def _agents_end_with_us() -> Iterator[None]:
    """End Ray's agents even if this process is killed.

    All else ends with it. The agents first report the end of their parent, the raylet, to Ray's database, which is gone
    as well, and try again for a minute.
    """
    agents = [child for raylet in _children(os.getpid(), "raylet") for child in _children(raylet)]
    if not agents:  # a cluster's
        yield
        return
    command = ["/bin/sh", "-c", _END_AGENTS, "sh", *map(str, agents)]
    quiet = subprocess.DEVNULL
    # In a group of its own: Ctrl-C in a terminal is for this process.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=quiet, process_group=0) as watcher:  # noqa: S603  # all ours
        try:
            yield
        finally:
            watcher.communicate(b"ended\n")


def _children(process: int, name: str | None = None) -> list[int]:
    """Return the child processes of a process, or only those of one name; none if it has ended."""
    found = []
    with suppress(psutil.Error):
        for child in psutil.Process(process).children():
            with suppress(psutil.Error):  # this one has ended
                if name is None or child.name() == name:
                    found.append(child.pid)
    return found


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's answer to SIGTERM: Ray puts its own in place at the start, and none at the end."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ours)


def _check_answers(address: str) -> None:
    """Check that something listens at ``address``: Ray itself waits for minutes before it says so."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if host and port.isdigit():
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise Unavailable(f"Ray does not answer at {address}: {error}") from error
