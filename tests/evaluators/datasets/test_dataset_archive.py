"""Zips from outside: what is refused at sight, and what only shows when it is unpacked."""

import stat
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.archive import Archive, Limits, extract, inspect

from .corpora import sound_corpus
from .zips import COMPRESSED, CRC, FLAGS, METHOD, SIZE, counted, endless, many, patched, with_mode, zip_folder, zip_of

MANIFEST: dict[str, bytes | str] = {"manifest.csv": "path\n"}
SMALL = Limits(bytes=1 << 20, files=100, expanded=1 << 22, expansion=100)


def judge(tmp_path: Path, content: bytes, limits: Limits = SMALL) -> Archive:
    path = tmp_path / "upload.zip"
    path.write_bytes(content)
    return inspect(path, limits)


def refused(tmp_path: Path, content: bytes, limits: Limits = SMALL) -> str:
    with pytest.raises(InvalidInput) as caught:
        judge(tmp_path, content, limits)
    return str(caught.value)


def unpacked(tmp_path: Path, content: bytes) -> Path:
    judge(tmp_path, content)
    extract(tmp_path / "upload.zip", tmp_path / "files")
    return tmp_path / "files"


@pytest.mark.parametrize("prefix", ["", "my corpus/"])
def test_a_folder_comes_out_as_it_went_in(tmp_path: Path, prefix: str) -> None:
    manifest = sound_corpus(tmp_path / "corpus", ["test-cat.wav,0,0.01,meow"])
    (manifest.parent / ".DS_Store").write_text("junk")
    content = zip_folder(manifest.parent, prefix)
    files = unpacked(tmp_path, content)
    expected = {path.name: path.read_bytes() for path in manifest.parent.iterdir() if path.name != ".DS_Store"}
    assert {path.name: path.read_bytes() for path in files.iterdir()} == expected
    assert not (tmp_path / "files.partial").exists()


def test_equal_contents_have_equal_digests(tmp_path: Path) -> None:
    files = {**MANIFEST, "a/b.wav": b"sound" * 100}
    digests = {
        judge(tmp_path, zip_of(files)).digest,
        judge(tmp_path, zip_of(dict(reversed(files.items())), zipfile.ZIP_DEFLATED)).digest,
        judge(tmp_path, zip_of({f"top/{name}": content for name, content in files.items()})).digest,
    }
    assert len(digests) == 1
    assert judge(tmp_path, zip_of({**files, "a/b.wav": b"sounD" * 100})).digest not in digests
    assert judge(tmp_path, zip_of({**files, "a/c.wav": b""})).digest not in digests


@pytest.mark.parametrize(
    "name",
    ["../a.wav", "a/../../b.wav", "/etc/passwd", "C:/a.wav", "a\\..\\b.wav", "a\nb.wav", "x" * 300, "d/" * 600 + "a"],
)
def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    message = refused(tmp_path, zip_of({**MANIFEST, name: b""}))
    assert "stays inside" in message or "at most 255 bytes" in message or "separated by '/'" in message


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices(tmp_path: Path, kind: int) -> None:
    assert "a link or a device" in refused(tmp_path, with_mode("a.wav", kind | 0o644))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no zip, or was cut off"),
        (b"no zip at all" * 100, "is no zip, or was cut off"),
        (zip_of(MANIFEST)[:-30], "is no zip, or was cut off"),
        (zip_of(MANIFEST)[40:], "stands before or inside"),
        (b"#!/bin/sh\n" + zip_of(MANIFEST), "stands before or inside"),
        (zip_of({}), "got none"),
        (zip_of({"a.wav": b""}), "a dataset has a manifest"),
        (zip_of({**MANIFEST, "metadata.csv": "file_name\n"}), "one manifest"),
        (zip_of({"a/manifest.csv": "path\n", "b/manifest.csv": "path\n"}), "got none"),
        (zip_of({**MANIFEST, "a": b"", "a/b": b""}), "both a file and a folder"),
        (zip_of({**MANIFEST, "a.wav": b"", "./a.wav": b""}), "a file appears once"),
        (patched(zip_of(MANIFEST), 0, FLAGS, "<H", 1), "has no password"),
        (patched(zip_of(MANIFEST), 0, METHOD, "<H", 12), "compressed by method 12"),
        (patched(zip_of(MANIFEST), 0, COMPRESSED, "<L", 50_000), "overlap"),
        (patched(zip_of(MANIFEST), 0, SIZE, "<L", 0xFFFFFFFF), "is damaged"),
        (patched(zip_of(MANIFEST), 0, SIZE, "<L", 5_000_000), "unpacks to at most 4,194,304 bytes"),
        (patched(zip_of({"\u00e4.wav": b"", **MANIFEST}), 0, 46, "<B", 0xFF), "names of files are UTF-8"),
    ],
)
def test_what_is_refused_at_sight(tmp_path: Path, content: bytes, message: str) -> None:
    assert message in refused(tmp_path, content)


def test_every_faulty_entry_is_named_up_to_a_cap(tmp_path: Path) -> None:
    content = zip_of({**MANIFEST, **{f"../{place}.wav": b"" for place in range(150)}})
    with pytest.raises(InvalidInput) as caught:
        judge(tmp_path, content, Limits())
    assert (len(caught.value.faults), caught.value.more) == (100, 50)
    assert caught.value.faults[0].where == "'../0.wav'"


def test_an_expansion_of_ten_thousand_to_one(tmp_path: Path) -> None:
    content = zip_of({**MANIFEST, "a.wav": bytes(20_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(content) < 25_000
    assert "unpacks to at most 100 times its own" in refused(tmp_path, content, Limits())


def test_files_that_lie_in_many_folders_each_are_refused(tmp_path: Path) -> None:
    names = [f"{place}/{'a/' * 400}a.wav" for place in range(10)]
    content = zip_of({**MANIFEST, **dict.fromkeys(names, b"")})
    assert "at most 1,000 folders" in refused(tmp_path, content, Limits(files=1_000))
    assert len(judge(tmp_path, content, Limits(files=5_000)).places) == 11


@pytest.mark.parametrize("make", [endless, many])
def test_ten_million_entries_are_refused_fast_and_in_little_memory(
    tmp_path: Path, make: Callable[[int], bytes]
) -> None:
    """Whether the list is only said to be so long (10,000,000), or is longer than it says (1,000,000)."""
    path = tmp_path / "upload.zip"
    path.write_bytes(make(10_000_000 if make is endless else 1_000_000))
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(InvalidInput, match="at most 1,000 entries"):
        inspect(path, Limits(files=1_000))
    seconds = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 1
    assert peak < 8 << 20


@pytest.mark.parametrize(
    ("field", "value"),
    [(SIZE, 3), (SIZE, 50), (CRC, 7)],
)
def test_what_the_list_said_is_not_trusted_when_unpacking(tmp_path: Path, field: int, value: int) -> None:
    content = zip_of({**MANIFEST, "a.wav": b"sound" * 4}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InvalidInput, match=r"a\.wav: (can't be unpacked|20 bytes were|3 bytes were|50 bytes were)"):
        unpacked(tmp_path, patched(content, 1, field, "<L", value))
    assert [path.name for path in tmp_path.iterdir()] == ["upload.zip"]


def test_a_bomb_that_claims_to_be_small_unpacks_to_no_more_than_that(tmp_path: Path) -> None:
    bomb = zip_of({**MANIFEST, "a.wav": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InvalidInput, match=r"a\.wav"):
        unpacked(tmp_path, patched(bomb, 1, SIZE, "<L", 1_000))
    assert [path.name for path in tmp_path.iterdir()] == ["upload.zip"]


def test_what_a_killed_process_left_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "files.partial").mkdir()
    (tmp_path / "files.partial" / "manifest.csv").write_text("half")
    files = unpacked(tmp_path, zip_of(MANIFEST))
    assert (files / "manifest.csv").read_text() == "path\n"


def test_a_service_may_take_more_than_what_is_usual(tmp_path: Path) -> None:
    content = counted(Limits().files + 1)
    judge(tmp_path, content, Limits(files=300_000))
    with pytest.raises(InvalidInput, match=r"can't be unpacked: File name in directory"):
        extract(tmp_path / "upload.zip", tmp_path / "files")


def test_unpacking_can_be_ended(tmp_path: Path) -> None:
    judge(tmp_path, zip_of({**MANIFEST, "a.wav": b"", "b.wav": b""}))

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        extract(tmp_path / "upload.zip", tmp_path / "files", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["upload.zip"]


def test_names_that_say_nothing_of_their_encoding_are_read_as_utf8(tmp_path: Path) -> None:
    content = zip_of({**MANIFEST, "grün.wav": b"sound"})
    for entry in range(2):
        content = patched(content, entry, FLAGS, "<H", 0)
    archive = judge(tmp_path, content)
    assert set(archive.places.values()) == {"manifest.csv", "grün.wav"}
