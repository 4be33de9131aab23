"""A dataset on its way to a service: one zip, made while it is sent, so that it needs no room on the disk."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.progress import Progress, unnoticed
from taskgraft.evaluators.datasets.segments import SEGMENTS_NAME

_BLOCK = 1 << 18
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LARGE = 1 << 31
"""Bytes of a file from which on its header needs room for 64-bit sizes."""


def upload_chunks(source: Path, progress: Progress = unnoticed) -> Iterator[bytes]:
    """Return the bytes to upload: those of a zip, or a zip of a manifest's tables, segments and clips.

    Raises:
        InvalidInput: the file does not exist, or the manifest has faults; nothing was read of any clip then.
    """
    if source.suffix.lower() == ".zip":
        if not source.is_file():
            raise InvalidInput.at(str(source), "does not exist")
        return _read([source], progress)
    corpus = read_corpus(source)
    names = [*corpus.layout.tables, *corpus.paths]
    if (corpus.root / SEGMENTS_NAME).is_file():
        names.append(SEGMENTS_NAME)
    return _zipped(corpus.root, names, progress)


def _read(paths: Sequence[Path], progress: Progress) -> Iterator[bytes]:
    """Yield the bytes of files, one file after the other."""
    total = sum(_size(path) for path in paths)
    done = 0
    for path in paths:
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    done += len(block)
                    yield block
                    progress(done, total)
        except OSError as error:
            raise InvalidInput.at(str(path), f"can't be read: {error.strerror}") from error


class _Sink(io.RawIOBase):
    """A file that only holds what nobody has fetched yet."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        return len(data)

    def fetch(self) -> bytes:
        fetched = bytes(self._held)
        self._held.clear()
        return fetched


def _zipped(root: Path, names: Sequence[str], progress: Progress) -> Iterator[bytes]:
    """Yield a zip of files below ``root``; they are stored without compression, since recorded sound hardly shrinks."""
    sink = _Sink()
    total = sum(_size(root / name) for name in names)
    done = 0
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=_size(root / name) >= _LARGE) as target:
                for block in _read([root / name], unnoticed):
                    target.write(block)
                    done += len(block)
                    if chunk := sink.fetch():
                        yield chunk
                    progress(done, total)
    yield sink.fetch()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InvalidInput.at(str(path), f"can't be read: {error.strerror}") from error
