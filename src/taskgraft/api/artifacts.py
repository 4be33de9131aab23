"""Files on offer: found by listing, so that no name leads out of the folder; sent with digest, ranges and ETag."""

import base64
import functools
import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from taskgraft.api.schemas import ArtifactView
from taskgraft.errors import NotFound, Unavailable

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can name: equal files give equal archives."""
_RANGE = re.compile(r"bytes=\s*(?:\d{1,18}-\d{0,18}|-\d{1,18})(?:\s*,\s*(?:\d{1,18}-\d{0,18}|-\d{1,18}))*\s*")
_BYTES = "application/octet-stream"
_MEDIA_TYPES = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
}
MEDIA_TYPES = (_BYTES, *(media_type.partition(";")[0] for media_type in _MEDIA_TYPES.values()))
"""What files may be sent as. Nothing that a browser would run or draw is among them."""


def media_type(name: str) -> str:
    """Return what a file of this name is sent as."""
    return _MEDIA_TYPES.get(Path(name).suffix, _BYTES)


def files_in(folder: Path) -> list[Path]:
    """Return the plain files of ``folder`` by name, without links and folders. Empty if there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry) for entry in entries if entry.is_file(follow_symlinks=False))
    except FileNotFoundError:
        return []


def find(folder: Path, name: str) -> Path:
    """Return the file of that name.

    Raises:
        NotFound: ``folder`` holds no such file.
    """
    for path in files_in(folder):
        if path.name == name:
            return path
    raise NotFound(f"there is no artifact {name!r}")


def view(path: Path, href: str) -> ArtifactView:
    """Return how the API shows the file."""
    return ArtifactView(name=path.name, bytes=path.stat().st_size, sha256=sha256(path), href=href)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits, read once while the file stays as it is."""
    status = path.stat()
    return _sha256(path, status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _sha256(path: Path, *_identity: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def respond(request: Request, path: Path, filename: str) -> Response:
    """Return the file as a response: 200, 206 for a range, or 304 if the client has it.

    Raises:
        HTTPException: 400 for a range that is none, 416 for one outside the file.
    """
    digest = sha256(path)
    etag = f'"{digest}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if _has_it(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    if request.headers.get("if-range", etag) == etag:
        _check_range(request.headers.get("range"), path.stat().st_size)
    headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode('ascii')}:"
    return FileResponse(path, headers=headers, filename=filename, media_type=media_type(filename))


def _has_it(if_none_match: str, etag: str) -> bool:
    known = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", etag) for tag in known)


def _check_range(value: str | None, size: int) -> None:
    """Refuse what `FileResponse` would refuse too, but in plain text."""
    if value is None:
        return
    if not _RANGE.fullmatch(value):
        raise HTTPException(400, f"a range reads bytes=START-END; got {value!r:.80}")
    for part in value.partition("=")[2].split(","):
        start, end = part.strip().split("-")
        first = int(start) if start else max(size - int(end), 0)
        if first >= size:
            raise HTTPException(416, f"the file has {size} bytes", {"Content-Range": f"bytes */{size}"})
        if start and end and int(end) < first:
            raise HTTPException(400, f"a range does not end before it starts; got {value!r:.80}")


def bundle(folder: Path) -> Path:
    """Return all files of ``folder`` as one zip beside it, made on the first call; its bytes depend on the files alone.

    Raises:
        NotFound: ``folder`` holds no file.
        Unavailable: the zip could not be written.
    """
    target = _bundle_path(folder)
    paths = files_in(folder)
    if not paths:
        raise NotFound("there is no model yet")
    if _is_newer(target, folder):
        return target
    with _replacing(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path in paths:
            _store(archive, path)
    return target


def _bundle_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip")


def _is_newer(target: Path, folder: Path) -> bool:
    """Return whether the bundle was made after the last change of the folder: a repeated export replaces it."""
    try:
        return target.stat().st_mtime_ns > folder.stat().st_mtime_ns
    except FileNotFoundError:
        return False


def _store(archive: zipfile.ZipFile, path: Path) -> None:
    entry = zipfile.ZipInfo(path.name, _EPOCH)
    entry.external_attr = 0o644 << 16
    entry.create_system = 3
    with path.open("rb") as source, archive.open(entry, "w", force_zip64=path.stat().st_size >= 1 << 31) as sink:
        shutil.copyfileobj(source, sink)


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Provide a temporary file that replaces ``target`` if the block succeeds."""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{target} could not be written: {error.strerror}") from error
