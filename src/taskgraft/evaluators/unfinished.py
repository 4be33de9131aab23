"""Folders that are being made: hidden beside their place until they are whole, and removed if their maker is gone."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

_NAME = re.compile(r"\..+-([0-9a-f]{32}|[0-9a-z_]{8})")
"""What `unfinished` calls a folder, or earlier versions did."""
_LOCK = ".lock"


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Provide a new folder beside ``target``, for the block to fill and to rename; nothing else is left of it.

    The folder's lock is a file beside it, which the system frees however this process ends. Then `sweep_unfinished`
    removes both.

    Raises:
        OSError: they can't be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.with_name(f".{target.name}-{uuid4().hex}")
    with _new_lock(folder) as lock:
        try:
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                Path(lock.name).unlink(missing_ok=True)


def sweep_unfinished(parent: Path) -> None:
    """Remove what makers left in ``parent`` that were killed. What a living process is making stays."""
    try:
        names = [entry.name for entry in os.scandir(parent)]
    except OSError:  # nothing was ever made there, or it can't be read
        return
    for name in {name.removesuffix(_LOCK) for name in names}:
        folder = parent / name
        if _NAME.fullmatch(name) and not folder.is_symlink():
            _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    with suppress(OSError), _lock_of(folder).open("a") as lock:  # somebody else may be faster
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
        _lock_of(folder).unlink(missing_ok=True)


@contextmanager
def _new_lock(folder: Path) -> Iterator[IO[str]]:
    """Hold the lock of a folder that does not exist yet."""
    while True:
        with _lock_of(folder).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_still(lock):
                yield lock
                return


def _is_still(lock: IO[str]) -> bool:
    """Return whether the file has its name: a sweep may have removed it before it was locked."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), os.stat(lock.name))  # noqa: PTH116
    except FileNotFoundError:
        return False


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)
