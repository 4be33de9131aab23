"""A data set's fingerprint, to notice that it changed between a stop and a resume."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.progress import Progress, unnoticed
from taskgraft.evaluators.datasets.segments import SEGMENTS_NAME


def fingerprint(corpus: Corpus, progress: Progress = unnoticed) -> str:
    """Return the SHA-256, in hexadecimal, over the bytes of the tables, the segments and every clip, in their order.

    Where the dataset lies and what it is called make no difference. If several tables or none say what its clips
    are, the names of files and folders are part of what they say, so paths and splits count too. ``progress`` is
    called with how many files were read, of how many; it may raise to end this early.

    Raises:
        InvalidInput: a file that can't be read.
    """
    total = hashlib.sha256()
    if len(corpus.layout.tables) != 1:
        total.update(json.dumps([corpus.paths, corpus.splits]).encode())
    files = list(_files(corpus))
    for done, path in enumerate(files):
        progress(done, len(files))
        try:
            if not path.is_file():
                raise InvalidInput.at(str(path), "is no file that can be read")
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InvalidInput.at(str(path), f"cannot be read: {error.strerror}") from error
    return total.hexdigest()


def _files(corpus: Corpus) -> Iterator[Path]:
    yield from corpus.layout.files
    segments = corpus.root / SEGMENTS_NAME
    if segments.exists():
        yield segments
    yield from map(corpus.audio, range(len(corpus)))
