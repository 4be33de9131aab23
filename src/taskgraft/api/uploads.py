"""Uploads on their way to the disk: each in its own folder, which stays only if the upload is accepted."""

import errno
import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from taskgraft.errors import Unavailable
from taskgraft.evaluators.datasets.archive import Limits, inspect
from taskgraft.search.store import Store
from taskgraft.search.study.dataset import Dataset, Uploaded, datasets_dir, upload_file
from taskgraft.search.study.token import Token

_LOCK = "lock"
_NEW_SECONDS = 1.0


class Upload:
    """The bytes of one zip, received chunk by chunk. Made by `receiving`."""

    def __init__(self, data_dir: Path, folder: str) -> None:
        self._path = upload_file(data_dir, folder)
        self._source = Uploaded(folder)
        self._file = self._path.open("xb")
        self.is_accepted = False

    def write(self, chunk: bytes) -> None:
        """Keep the next bytes."""
        self._file.write(chunk)

    def finish(self, name: str, store: Store, limits: Limits, token: Token | None) -> tuple[Dataset, bool]:
        """Check the zip and add it as a version of ``token``; return whether it is new. The runner unpacks it.

        Raises:
            InvalidInput: the zip breaks a rule.
            Forbidden: the dataset is not the token's.
            QuotaExceeded: the token may not store so many bytes.
            Unavailable: there is no room to unpack it, or the database fails.
        """
        self._file.close()
        archive = inspect(self._path, limits)
        if archive.expanded > (free := shutil.disk_usage(self._path.parent).free):
            raise Unavailable(
                f"the disk is too full: the upload unpacks to {archive.expanded:,} bytes, {free:,} are free"
            )
        dataset, self.is_accepted = store.datasets.add(
            name, self._source, archive.digest, token=token, stored_bytes=archive.expanded
        )
        return dataset, self.is_accepted

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def receiving(data_dir: Path) -> Iterator[Upload]:
    """Receive a zip. At the end of the block nothing is left of one that was not accepted.

    Raises:
        Unavailable: the disk is full, or can't be written.
    """
    folder = datasets_dir(data_dir) / uuid4().hex
    upload = None
    try:
        folder.mkdir(parents=True)
        with _locked(folder):
            upload = Upload(data_dir, folder.name)
            try:
                yield upload
            finally:
                upload.close()
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise Unavailable(f"the upload can't be kept: {'the disk is full' if full else error.strerror}") from error
    finally:
        if upload is None or not upload.is_accepted:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[TextIO]:
    """Keep `sweep` away; the system frees the lock however this process ends."""
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def sweep(data_dir: Path, store: Store) -> None:
    """Delete what processes left that were killed in the middle of an upload or of a deletion."""
    known = store.datasets.folders()
    try:
        folders = [path for path in datasets_dir(data_dir).iterdir() if path.is_dir() and path.name not in known]
    except FileNotFoundError:
        return
    for folder in folders:
        if _is_abandoned(folder) and folder.name not in store.datasets.folders():
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Return whether no living process receives an upload into it. A new one may not be locked yet."""
    try:
        if time.time() - folder.stat().st_mtime < _NEW_SECONDS:
            return False
        with (folder / _LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
