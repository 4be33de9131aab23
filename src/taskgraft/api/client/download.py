"""A bundle on its way to the disk: checked, unpacked, and put in place whole or not at all."""

import hashlib
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taskgraft.errors import Conflict, Unavailable

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}")


class BundleDownload:
    """The bytes of one bundle, received chunk by chunk. Made by `receiving`."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._archive = (folder / "bundle.zip").open("wb")
        self._unpacked = folder / "bundle"
        self._target = target
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Keep the next chunk."""
        self._digest.update(chunk)
        self._archive.write(chunk)

    def finish(self, etag: str | None) -> Path:
        """Check the SHA-256 that the service announced, unpack the archive, and move it to its place.

        Raises:
            Unavailable: the bytes have another digest, or the archive is not safe to unpack.
        """
        self.close()
        if etag != f'"{self._digest.hexdigest()}"':
            raise Unavailable("the download is damaged: its SHA-256 is not the announced one")
        _unpack(Path(self._archive.name), self._unpacked)
        return self._unpacked.rename(self._target)

    def close(self) -> None:
        """Close the archive's file."""
        self._archive.close()


@contextmanager
def receiving(target: Path) -> Iterator[BundleDownload]:
    """Receive a bundle that becomes the folder ``target``. What is not finished at the end of the block is deleted.

    Raises:
        Conflict: ``target`` exists.
        Unavailable: the disk cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise Conflict(f"{target} is there already")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
            download = BundleDownload(Path(temporary), target)
            try:
                yield download
            finally:
                download.close()
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror}") from error


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a flat archive of plain files.

    Raises:
        Unavailable: it holds anything but plain files with plain names.
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            for entry in bundle.infolist():
                _check_entry(entry)
            bundle.extractall(folder)
    except zipfile.BadZipFile as error:
        raise Unavailable(f"the model is not a zip archive: {error}") from error


def _check_entry(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or not _PLAIN_NAME.fullmatch(entry.filename):
        raise Unavailable(f"the model holds {entry.filename!r:.80}, which is not a plain file")
