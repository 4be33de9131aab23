"""The files of a backup: which ones of a data folder belong to it, how they are copied while others change them."""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from taskgraft.evaluators.datasets.paths import is_text, normalise

KEPT = ("corpora", "datasets", "studies")
"""Folders of the data folder; features are made again when they are needed."""
_PASSING = re.compile(r"tune.*|\..*|lock|.*\.partial.*")
"""Names, in a study or an upload, of what a process is making, or needs while it runs."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.2
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file of a backup: its path below the data folder, with ``/``, its size and its SHA-256.

    Raises:
        ValueError: a path that may lead elsewhere, a size below 0, or what is no SHA-256.
    """

    path: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if normalise(self.path) != self.path:
            raise ValueError(f"a path is written without detours; got {self.path!r:.300}")
        if self.bytes < 0 or not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"a size of 0 or more, and a SHA-256; got {self.bytes} and {self.sha256!r:.80}")


class _Changed(Exception):
    """Raised when a folder changes while it is copied."""


def copy_data(data_dir: Path, target: Path) -> Iterator[BackupFile]:
    """Copy what belongs to a backup; yield each file with its path below ``target``. Links are left out.

    A study or a dataset whose files change meanwhile is copied again; one that is deleted meanwhile is left out.

    Raises:
        OSError: the disk fails.
    """
    for kept in KEPT:
        for unit in _entries(data_dir / kept):
            if unit.is_dir(follow_symlinks=False) and not unit.name.startswith("."):
                yield from _copy_unit(Path(unit.path), target, Path(kept, unit.name))


def _copy_unit(source: Path, target: Path, place: Path) -> list[BackupFile]:
    for attempt in range(1, _ATTEMPTS + 1):
        with suppress(_Changed):
            return list(_copy_folder(source, target, place, is_last=attempt == _ATTEMPTS))
        shutil.rmtree(target / place, ignore_errors=True)
        time.sleep(_PAUSE_SECONDS)
    return []  # the last attempt raises nothing


def _copy_folder(source: Path, target: Path, place: Path, *, is_last: bool) -> Iterator[BackupFile]:
    """Copy what is in a folder. A folder that is replaced meanwhile would be a mixture, except at the last attempt."""
    before = _identity(source)
    for entry in _entries(source):
        inner = place / entry.name
        if not is_text(entry.name) or (_PASSING.fullmatch(entry.name) and place.parts[0] != "corpora"):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _copy_folder(Path(entry.path), target, inner, is_last=is_last)
            elif entry.is_file(follow_symlinks=False):
                yield copy_file(Path(entry.path), target / inner, inner.as_posix())
        except FileNotFoundError:
            if not is_last:
                raise _Changed from None
    if not is_last and _identity(source) != before:
        raise _Changed


def copy_file(source: Path, target: Path, path: str) -> BackupFile:
    """Copy one plain file, and return it under the name ``path``.

    Raises:
        OSError: it is a link, or the disk fails.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as copy:
        return _read(source, path, copy.write)


def digest_file(source: Path, path: str) -> BackupFile:
    """Return a file of a backup as it is.

    Raises:
        OSError: it is a link, or can't be read.
    """
    return _read(source, path, lambda block: None)


def _read(source: Path, path: str, use: Callable[[bytes], object]) -> BackupFile:
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
            use(block)
    return BackupFile(path, size, digest.hexdigest())


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
