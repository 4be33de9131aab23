"""A data set's fingerprint, to notice that it changed between a stop and a resume."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.segments import SEGMENTS_NAME


def fingerprint(corpus: Corpus) -> str:
    """SHA-256, in hexadecimal, over the bytes of the manifest, the segments and every clip, in the manifest's order.

    Where the data set lies and what it is called make no difference.

    Raises:
        InvalidInput: a file that can't be read.
    """
    total = hashlib.sha256()
    for path in _files(corpus):
        try:
            if not path.is_file():
                raise InvalidInput.at(str(path), "is no file that can be read")
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InvalidInput.at(str(path), f"cannot be read: {error.strerror}") from error
    return total.hexdigest()


def _files(corpus: Corpus) -> Iterator[Path]:
    yield corpus.manifest
    segments = corpus.root / SEGMENTS_NAME
    if segments.exists():
        yield segments
    yield from map(corpus.audio, range(len(corpus)))
