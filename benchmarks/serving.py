"""A service in a process of its own, for benchmarks that ask it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Served:
    """A service that answers: its process, and its address."""

    process: "subprocess.Popen[str]"
    url: str


@contextmanager
def serving(data: Path, database_url: str | None, *options: str) -> Iterator[Served]:
    """Start ``taskgraft serve`` on a free port; it ends with the block, with what it has started.

    Raises:
        subprocess.TimeoutExpired: It did not end within a minute of SIGTERM; it is killed.
    """
    command = [sys.executable, "-m", "taskgraft", "serve", "--json", "--port", "0", "--data-dir", str(data), *options]
    command += ["--database-url", database_url] if database_url else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            document = ""
            for line in process.stdout or ():
                document += line
                if line.startswith("}"):
                    break
            yield Served(process, json.loads(document)["url"])
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            finally:
                process.kill()
