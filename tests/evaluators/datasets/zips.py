"""Zips for tests: honest ones, and those that somebody made to do harm."""

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path


def zip_of(files: Mapping[str, bytes | str], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of these files, which are taken as they are named."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def zip_folder(folder: Path, prefix: str = "") -> bytes:
    """A zip of a folder, below ``prefix``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return zip_of({f"{prefix}{path.relative_to(folder)}": path.read_bytes() for path in files})


def with_mode(name: str, mode: int, content: bytes = b"target") -> bytes:
    """A zip whose only entry has this type: a link, a device."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.create_system = 3
        entry.external_attr = mode << 16
        archive.writestr(entry, content)
    return buffer.getvalue()


def patched(archive: bytes, entry: int, offset: int, form: str, value: int) -> bytes:
    """A zip whose list says something else about one entry, at an offset of its header (APPNOTE 4.3.12)."""
    changed = bytearray(archive)
    place = -1
    for _ in range(entry + 1):
        place = changed.index(b"PK\1\2", place + 1)
    struct.pack_into(form, changed, place + offset, value)
    return bytes(changed)


FLAGS, METHOD, CRC, COMPRESSED, SIZE = 8, 10, 16, 20, 24
"""Offsets of fields in the header of an entry."""


def endless(entries: int) -> bytes:
    """A zip whose list claims so many entries, without having them."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, 0, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return record + locator + end


def many(entries: int) -> bytes:
    """A zip whose list has so many entries, all of them the same one, and claims to have but one."""
    archive = zip_of({"a": b""})
    start = archive.index(b"PK\1\2")
    end = archive.index(b"PK\5\6")
    listed = archive[start:end] * entries
    closing = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed), start, 0)
    return archive[:start] + listed + closing


def counted(entries: int) -> bytes:
    """A zip that lists so many empty files, all of which lie at the place of its manifest."""
    archive = zip_of({"manifest.csv": b""})
    start = archive.index(b"PK\1\2")
    entry = archive[start : archive.index(b"PK\5\6")]
    names = (b"%08d.wav" % place for place in range(entries - 1))
    listed = entry + b"".join(entry.replace(b"manifest.csv", name) for name in names)
    place = start + len(listed)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, len(listed), start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return archive[:start] + listed + record + locator + end
