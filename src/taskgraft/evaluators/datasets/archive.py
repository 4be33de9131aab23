"""Zips from outside: judged by their list of files before anything is unpacked, and never trusted while it is."""

import hashlib
import re
import shutil
import stat
import sys
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.layout import find_tables
from taskgraft.evaluators.datasets.paths import normalise
from taskgraft.evaluators.datasets.progress import Progress, unnoticed
from taskgraft.evaluators.datasets.zip_directory import Entry, read_directory

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
"""What systems put into archives beside the user's files; left out."""
_PLAIN = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")
"""Paths that need no further check. Most paths match, and matching is fast."""
_MAX_NAME = 255
_MAX_PATH = 1_024
_SLACK = 1 << 20
"""Bytes that an archive may expand to in any case: a small table of equal lines shrinks a lot."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold.

    ``expansion`` is how many times its own bytes it may unpack to. Recorded sound hardly shrinks.
    """

    bytes: int = 20 << 30
    """Of the zip itself."""
    files: int = 200_000
    """And so many folders."""
    expanded: int = 100 << 30
    """Bytes when it is unpacked."""
    expansion: int = 100


_JUDGED = Limits(bytes=sys.maxsize, files=sys.maxsize, expanded=sys.maxsize)
"""Of an archive that was judged by limits of a service, which may be wider than those here."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What the list of a zip's files declares.

    ``places`` are the files to unpack: number in the list -> path below the dataset's folder. ``digest`` is the SHA-256
    over their paths, sizes and checksums: equal contents have equal digests, however they were compressed.
    """

    entries: tuple[Entry, ...]
    places: Mapping[int, str]
    digest: str

    @property
    def expanded(self) -> int:
        """Bytes when it is unpacked."""
        return sum(self.entries[number].size for number in self.places)


def inspect(path: Path, limits: Limits) -> Archive:
    """Judge a zip by its list of files.

    Raises:
        MalformedInput: it is not a zip, or has too many entries.
        InvalidInput: names that lead elsewhere or appear twice, links, devices, passwords; too much data; no manifest,
            or more than one.
    """
    faults = FaultLog()
    entries = tuple(read_directory(path, limits.files))
    files = {number: entry for number, entry in enumerate(entries) if not entry.name.endswith("/")}
    names = {}
    for number, entry in files.items():
        if (name := _checked(entry, faults)) is not None and not _is_junk(name):
            names[number] = name
    faults.raise_if_any()
    _check_amounts(files.values(), path.stat().st_size, limits)
    places = _without_top_folder(names)
    _check_apart(places.values(), limits.files, faults)
    faults.raise_if_any()
    find_tables(list(places.values()), "zip, at its top or in its only folder")
    return Archive(entries, places, _digest(entries, places))


def extract(path: Path, folder: Path, progress: Progress = unnoticed) -> None:
    """Unpack a zip that was judged into the new ``folder``, which appears whole or not at all.

    Raises:
        InvalidInput: what a file holds is not what the list declares.
        OSError: the files can't be written.
    """
    archive = inspect(path, _JUDGED)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        with _opened(path, archive) as reader:
            for done, (number, place) in enumerate(archive.places.items()):
                progress(done, len(archive.places))
                _unpack(reader, reader.infolist()[number], archive.entries[number], partial / place)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _opened(path: Path, archive: Archive) -> zipfile.ZipFile:
    try:
        reader = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise InvalidInput.at("zip", f"can't be read: {error}") from error
    found = [(info.CRC, info.file_size, info.compress_size) for info in reader.infolist()]
    if found != [(entry.crc, entry.size, entry.compressed) for entry in archive.entries]:
        reader.close()
        raise InvalidInput.at("zip", "the list of its files can be read in two ways")
    return reader


def _unpack(reader: zipfile.ZipFile, info: zipfile.ZipInfo, entry: Entry, target: Path) -> None:
    """Write one file: no more bytes than were declared, and all of them, with the declared checksum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with reader.open(info) as source, target.open("xb") as file:
            while block := source.read(_BLOCK):
                written += len(block)
                if written > entry.size:
                    break
                file.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise InvalidInput.at(entry.name, f"can't be unpacked: {error}") from error
    if written != entry.size:
        raise InvalidInput.at(entry.name, f"{entry.size:,} bytes were declared; it unpacks to others")


def _checked(entry: Entry, faults: FaultLog) -> str | None:
    """Return the path of a file; None if it breaks a rule, which is logged."""
    name = entry.name
    try:
        _check(entry)
        return name if _PLAIN.fullmatch(name) else normalise(name)
    except ValueError as error:
        faults.add(f"{name!r:.200}", str(error)[:300])
        return None


def _check(entry: Entry) -> None:
    """Check all but what `normalise` does.

    Raises:
        ValueError: the entry breaks a rule.
    """
    if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG):
        raise ValueError("a zip holds plain files and folders; this is a link or a device")
    if entry.is_encrypted:
        raise ValueError("a zip of a dataset has no password")
    if entry.method not in _METHODS:
        raise ValueError(f"files are stored or deflated; this one is compressed by method {entry.method}")
    name = entry.name
    if not name.isprintable() or name[1:2] == ":":
        raise ValueError("a path stays inside the dataset's folder, and has no drive or control characters")
    if len(name) > _MAX_NAME // 4 and (
        len(name.encode()) > _MAX_PATH or max(len(part.encode()) for part in name.split("/")) > _MAX_NAME
    ):
        raise ValueError(f"a name has at most {_MAX_NAME} bytes, a path {_MAX_PATH}")


def _is_junk(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last in _JUNK or last.startswith("._") or name.partition("/")[0] in _JUNK


def _check_amounts(entries: Collection[Entry], size: int, limits: Limits) -> None:
    expanded = sum(entry.size for entry in entries)
    if sum(entry.compressed for entry in entries) > size:
        raise InvalidInput.at("zip", "its files overlap")
    if expanded > limits.expanded:
        raise InvalidInput.at("zip", f"unpacks to at most {limits.expanded:,} bytes; got {expanded:,}")
    if expanded > max(limits.expansion * size, _SLACK):
        raise InvalidInput.at(
            "zip", f"unpacks to at most {limits.expansion} times its own {size:,} bytes; got {expanded:,}"
        )


def _without_top_folder(names: Mapping[int, str]) -> dict[int, str]:
    """Return paths without the one folder that all files lie in, if there is one."""
    tops = {name.partition("/")[0] for name in names.values()}
    if len(tops) == 1 and all("/" in name for name in names.values()):
        return {number: name.partition("/")[2] for number, name in names.items()}
    return dict(names)


def _check_apart(places: Collection[str], most_folders: int, faults: FaultLog) -> None:
    """Check that no two files have one path, that none has that of a folder, and that there are not too many folders.

    Each file may lie in hundreds of folders of its own, so that a small zip would fill memory and disk with them.

    Raises:
        InvalidInput: too many folders.
    """
    seen: set[str] = set()
    folders: set[str] = set()
    for place in places:
        if place in seen:
            faults.add(f"{place!r:.200}", "a file appears once")
        seen.add(place)
        folder = place.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
        if len(folders) > most_folders:
            raise InvalidInput.at("zip", f"a zip has at most {most_folders:,} folders; got more")
    for place in sorted(folders & seen):
        faults.add(f"{place!r:.200}", "is both a file and a folder")


def _digest(entries: Sequence[Entry], places: Mapping[int, str]) -> str:
    total = hashlib.sha256()
    for place, number in sorted((place, number) for number, place in places.items()):
        total.update(f"{place}\0{entries[number].size}\0{entries[number].crc}\n".encode())
    return total.hexdigest()
