"""Folders whose manifests may be registered: a path is resolved, and has to lie in one of them."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.paths import is_inside

_MAX_LISTED = 50_000
"""Files below a manifest's folder that a request looks at: more would take it longer than a second."""


def resolve_manifest(given: str, roots: Sequence[Path]) -> Path:
    """Return the real path of a manifest that was given relative to a root, or absolute inside one.

    Raises:
        InvalidInput: at ``manifest``: there are no roots, or the path leads to nothing inside one.
    """
    if not roots:
        raise InvalidInput.at(
            "manifest",
            "this service registers no manifests: start it with --datasets-root DIR (or TASKGRAFT_DATASETS_ROOT), "
            "or upload a zip with PUT /v1/datasets/NAME",
        )
    inside = [path for path in _candidates(given, roots) if is_inside(path, roots)]
    if not inside:
        # The answer must not tell what exists elsewhere on this machine.
        rule = f"a manifest lies under a root of this service, {' or '.join(map(str, roots))}"
        raise InvalidInput.at("manifest", f"{rule}; got {given!r:.300}")
    found = next(filter(_is_there, inside), None)
    if found is None:
        raise InvalidInput.at("manifest", f"does not exist: {inside[0]}")
    return found


def signature(manifest: Path) -> str | None:
    """Return a digest of names, sizes and times of all files beside and below a manifest; None if there are too many.

    It changes whenever a file does, and costs no reading.
    """
    root = manifest if manifest.is_dir() else manifest.parent
    total = hashlib.sha256(f"{manifest}\0".encode(errors="surrogateescape"))
    try:
        for place, entry in enumerate(_entries(root)):
            if place == _MAX_LISTED:
                return None
            status = entry.stat()
            said = f"{entry.path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\n"
            total.update(said.encode(errors="surrogateescape"))
    except OSError:
        return None
    return total.hexdigest()


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            # One more than are looked at: a folder may hold millions.
            for entry in sorted(islice(entries, _MAX_LISTED + 1), key=lambda entry: entry.name):
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file() or path.is_dir()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def _candidates(given: str, roots: Sequence[Path]) -> Iterator[Path]:
    """Yield the real paths that the text may stand for; `Path` lets an absolute one replace the root before it."""
    for root in roots:
        try:
            yield (root / given).resolve()
        except (OSError, ValueError, RuntimeError):  # a NUL, a name that is too long, links in a circle
            continue
