"""The reader of zips against `zipfile`, and against bytes that are no zip any more."""

import io
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.archive import Limits, extract, inspect
from taskgraft.evaluators.datasets.zip_directory import read_directory
from tests.evaluators.datasets.zips import zip_of

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\\", exclude_categories=["Cs"]), min_size=1)
FILES = st.dictionaries(NAMES, st.binary(max_size=60), max_size=12)
ANY = Limits(bytes=1 << 30, files=1_000, expanded=1 << 30, expansion=10_000)


def listed(path: Path) -> list[tuple[str, int, int, int]]:
    return [(entry.name, entry.crc, entry.compressed, entry.size) for entry in read_directory(path, 1_000)]


@given(FILES, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), st.booleans(), st.booleans())
def test_the_list_is_the_one_that_zipfile_reads(
    files: dict[str, bytes], method: int, many: bool, has_large_files: bool
) -> None:
    """Also with the 64-bit records that archives of many files, or of large ones, have."""
    with (
        mock.patch.object(zipfile, "ZIP_FILECOUNT_LIMIT", 0 if many else 0xFFFF),
        mock.patch.object(zipfile, "ZIP64_LIMIT", -1 if has_large_files else (1 << 31) - 1),
    ):
        content = zip_of(files, method)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "some.zip")
        path.write_bytes(content)
        with zipfile.ZipFile(path) as archive:
            expected = [(e.orig_filename, e.CRC, e.compress_size, e.file_size) for e in archive.infolist()]
        assert listed(path) == expected


SOUND = zip_of({"manifest.csv": "path,split\n", "a/b.wav": b"sound" * 9, "c.wav": b"x"}, zipfile.ZIP_DEFLATED)


@given(
    st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, len(SOUND)),
)
@example([(62, 8), (81, 9)], 0).via("a name before the bytes that reaches into them, and is said to be UTF-8")
def test_damage_is_told_and_leaves_nothing(changes: list[tuple[int, int]], end: int) -> None:
    """Whatever bytes are changed, or cut off: the files come out right, or there is an error and no folder."""
    content = bytearray(SOUND)
    for place, value in changes:
        content[place] = value
    for damaged in (bytes(content), bytes(content[:end])):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "some.zip")
            path.write_bytes(damaged)
            try:
                archive = inspect(path, ANY)
                extract(path, Path(folder, "files"))
            except InvalidInput:
                assert [found.name for found in Path(folder).iterdir()] == ["some.zip"]
                continue
            for number, name in archive.places.items():
                assert Path(folder, "files", name).stat().st_size == archive.entries[number].size


def test_what_was_packed_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    path.write_bytes(SOUND)
    extract(path, tmp_path / "files")
    with zipfile.ZipFile(io.BytesIO(SOUND)) as archive:
        for name in archive.namelist():
            assert (tmp_path / "files" / name).read_bytes() == archive.read(name)
    path.write_bytes(SOUND[:-1])
    with pytest.raises(InvalidInput, match="no zip"):
        inspect(path, ANY)
