"""Paths of clips: relative to the manifest's folder, with ``/``, and never out of it."""

import os
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path


def normalise(path: str) -> str:
    r"""Return the one spelling of a clip's path; ``./a//b.wav`` becomes ``a/b.wav``.

    Raises:
        ValueError: the path is empty, absolute, or has ``..``, ``\`` or a NUL in it.
    """
    if not path:
        raise ValueError("a path is not empty")
    if "\\" in path or "\0" in path:
        raise ValueError(f"folders of a path are separated by '/'; got {path!r}")
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"a path stays inside the manifest's folder; got {path!r}")
    if (plain := posixpath.normpath(path)) == ".":
        raise ValueError(f"a path names a file; got {path!r}")
    return plain


def is_inside(path: Path, roots: Sequence[Path]) -> bool:
    """Return whether a path, followed to where it leads, lies in one of the ``roots``, which have no links in them."""
    real = path.resolve()
    return any(real.is_relative_to(root) for root in roots)


def walk(root: Path) -> Iterator[str]:
    """Yield the relative names of all files below ``root``, in order, without hidden ones and linked folders."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        prefix = os.path.relpath(folder, root)
        for name in sorted(files):
            if not name.startswith("."):
                yield name if prefix == "." else f"{prefix}/{name}"


def is_text(name: str) -> bool:
    """Return whether a file's name is UTF-8, so that it can be written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class Containment:
    """Tells whether the files below ``root`` really lie there once symbolic links are followed.

    Folders are resolved once each, so that a hundred thousand clips cost one ``lstat`` each. Paths are text here: a
    `Path` object costs as much as that again.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._real_root = os.path.realpath(root)
        self._folders: dict[str, bool] = {}

    def holds(self, path: str) -> bool:
        """Return whether ``path``, normalised, stays inside (a file that does not exist does)."""
        folder = posixpath.dirname(path)
        if folder not in self._folders:
            self._folders[folder] = self._is_inside(f"{self._root}/{folder}")
        full = f"{self._root}/{path}"
        is_link = os.path.islink(full)  # noqa: PTH114
        return self._folders[folder] and (not is_link or self._is_inside(full))

    def _is_inside(self, path: str) -> bool:
        return os.path.commonpath([self._real_root, os.path.realpath(path)]) == self._real_root
