"""Which recordings a command line names: files as they are, and those in folders."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from taskgraft.errors import InvalidInput

SUFFIXES = (".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".w64", ".wav")
"""What the name of a recording in a folder ends with, in any case; a file that is named itself may have any name."""


def find_clips(paths: Iterable[Path]) -> Iterator[Path | InvalidInput]:
    """Yield every file among the paths, and the recordings below every folder, sorted; links to folders are left out.

    Yields an error in place of a folder that can't be read, or that has no recording below it.
    """
    for path in paths:
        if path.is_dir():
            yield from _below(path)
        else:
            yield path


def _below(folder: Path) -> Iterator[Path | InvalidInput]:
    found: list[Path] = []
    failed: list[OSError] = []
    for parent, _, names in os.walk(folder, onerror=failed.append):
        found += (Path(parent, name) for name in names if name.lower().endswith(SUFFIXES))
    yield from sorted(found)
    for error in failed:
        yield InvalidInput.at(str(error.filename), f"can't be read: {error.strerror}")
    if not found and not failed:
        yield InvalidInput.at(str(folder), f"holds no recording ({', '.join(SUFFIXES)})")
