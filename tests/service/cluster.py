"""A Ray cluster as in docker-compose.yml, as processes: a head that offers no cores, and nodes of one core each."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.service.processes import running

RAY_AUTH = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a token that only this test knows: 8f1d0b8a"}
_OPTIONS = ("--min-worker-port=0", "--max-worker-port=0", "--object-store-memory=100000000", "--disable-usage-stats")
_ENDS = (0, 1, -15)


@dataclass(frozen=True, slots=True)
class RayHead:
    """The head of a cluster: its address, and the command with which it was started."""

    address: str
    ray: tuple[str, ...]


@contextmanager
def ray_head(logs: Path) -> Iterator[RayHead]:
    """A head that runs until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # A node of Ray hands its Python's path to a shell as it is: one with a space in it would never start a worker.
        environment = Path(folder) / "environment"
        environment.symlink_to(sys.prefix)
        ray = (str(environment / "bin" / "python"), "-m", "ray.scripts.scripts")
        command = [*ray, "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=0"]
        command += [f"--temp-dir={folder}", "--include-dashboard=false", *_OPTIONS]
        with running(command, logs / "head.log", _ENDS, RAY_AUTH) as head:
            _wait_until_started(head)
            yield RayHead(f"127.0.0.1:{port}", ray)


@contextmanager
def ray_node(head: RayHead, log: Path, *, may_end: bool = False) -> Iterator["subprocess.Popen[str]"]:
    """A node of one core, which has to live until the block ends unless it ``may_end``."""
    command = [*head.ray, "start", "--block", "--node-ip-address=127.0.0.1", f"--address={head.address}"]
    with running([*command, "--num-cpus=1", *_OPTIONS], log, _ENDS, RAY_AUTH, may_end=may_end) as node:
        _wait_until_started(node)
        yield node


def _wait_until_started(member: "subprocess.Popen[str]") -> None:
    for line in member.stdout or ():
        if "Ray runtime started" in line:
            return
