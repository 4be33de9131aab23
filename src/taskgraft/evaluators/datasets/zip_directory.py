"""The list of files that a zip ends with, read entry by entry: memory stays small however long it is.

`zipfile` builds an object for every entry before anybody can look at their number. This reader stops at a limit.
Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16 and 4.5.3.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from taskgraft.errors import Fault, MalformedInput

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s4x2H4x3L3H4xL4x")
"""Of the fixed part only what is used; the rest is padding."""
_LONGEST_COMMENT = 0xFFFF
_IN_EXTRA = 0xFFFFFFFF
_ZIP64 = 0x0001
_UTF8 = 0x800
_BUFFER = 1 << 20


class Entry(NamedTuple):
    """One entry as the list declares it; nothing of this has been checked against its bytes."""

    name: str
    flags: int
    method: int
    mode: int
    """File type and permissions, as Unix has them; 0 if the archive was made elsewhere."""
    crc: int
    compressed: int
    size: int

    @property
    def is_encrypted(self) -> bool:
        """Whether it takes a password to read."""
        return bool(self.flags & 1)


def read_directory(path: Path, max_entries: int) -> Iterator[Entry]:
    """Yield the entries of a zip in their order.

    Raises:
        MalformedInput: it is not a zip, is cut off, has several parts, or lists more than ``max_entries`` entries.
    """
    with path.open("rb", buffering=_BUFFER) as file:
        start, length, count = _find(file, path.stat().st_size)
        if count > max_entries:
            raise _malformed(f"a zip has at most {max_entries:,} entries; got {count:,}")
        file.seek(start)
        left, seen = length, 0
        while left > 0:
            entry, used = _read_entry(file)
            left, seen = left - used, seen + 1
            if seen > max_entries:
                raise _malformed(f"a zip has at most {max_entries:,} entries; got more")
            yield entry
        if left < 0 or seen != count:
            raise _malformed("the list of its files is damaged")


def _malformed(message: str) -> MalformedInput:
    return MalformedInput([Fault("zip", message)])


def _find(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Return where the list starts, its bytes, and how many entries it claims to have."""
    tail = min(size, _END.size + _LONGEST_COMMENT)
    file.seek(size - tail)
    found = file.read(tail)
    place = found.rfind(b"PK\5\6")
    if place < 0 or len(found) - place < _END.size:
        raise _malformed("the body is no zip, or was cut off: it does not end as one")
    _, disk, first_disk, _, count, length, start, _ = _END.unpack_from(found, place)
    end = size - tail + place
    disk, first_disk, count, length, start, end = _find64(file, end, (disk, first_disk, count, length, start))
    if disk or first_disk:
        raise _malformed("a zip comes in one part")
    if start + length != end:
        raise _malformed("something stands before or inside the zip")
    return start, length, count


def _find64(file: BinaryIO, end: int, plain: tuple[int, ...]) -> tuple[int, ...]:
    """Return the same from the 64-bit record, which takes precedence; ``plain`` if there is no such record."""
    file.seek(max(0, end - _LOCATOR.size))
    found = file.read(_LOCATOR.size)
    if len(found) < _LOCATOR.size or not found.startswith(b"PK\6\7"):
        return (*plain, end)
    _, _, place, _ = _LOCATOR.unpack(found)
    if place > end - _LOCATOR.size - _END64.size:
        raise _malformed("the list of its files is damaged")
    file.seek(place)
    signature, _, _, _, disk, first_disk, _, count, length, start = _END64.unpack(file.read(_END64.size))
    if signature != b"PK\6\6":
        raise _malformed("the list of its files is damaged")
    return disk, first_disk, count, length, start, place


def _read_entry(file: BinaryIO) -> tuple[Entry, int]:
    """Return the next entry and the bytes that it takes."""
    header = file.read(_ENTRY.size)
    if len(header) < _ENTRY.size:
        raise _malformed("the list of its files is damaged")
    signature, flags, method, crc, compressed, size, *lengths, attributes = _ENTRY.unpack(header)
    name_length, extra_length, comment_length = lengths
    length = name_length + extra_length + comment_length
    rest = file.read(length)
    if signature != b"PK\1\2" or len(rest) < length:
        raise _malformed("the list of its files is damaged")
    if _IN_EXTRA in (compressed, size):
        size, compressed = _sizes64(rest[name_length : name_length + extra_length], size, compressed)
    name = _decode(rest[:name_length], flags)
    return Entry(name, flags, method, attributes >> 16, crc, compressed, size), _ENTRY.size + length


def _sizes64(extra: bytes, size: int, compressed: int) -> tuple[int, int]:
    """Return sizes from the 64-bit field of an entry; it holds only those that do not fit elsewhere, in this order."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _ZIP64:
            numbers = list(struct.unpack_from(f"<{min(length, len(extra) - 4) // 8}Q", extra, 4))
            if len(numbers) < (size, compressed).count(_IN_EXTRA):
                break
            size = numbers.pop(0) if size == _IN_EXTRA else size
            return size, numbers.pop(0) if compressed == _IN_EXTRA else compressed
        extra = extra[4 + length :]
    raise _malformed("the list of its files is damaged")


def _decode(name: bytes, flags: int) -> str:
    """Return a name as text: UTF-8, which some archivers write without saying so, or the original code page of zip."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        if flags & _UTF8:
            raise _malformed(f"names of files are UTF-8; got {name!r:.80}") from None
        return name.decode("cp437")
