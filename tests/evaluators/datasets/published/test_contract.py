"""What holds for every published corpus that is read."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.api.client.upload import upload_chunks
from taskgraft.evaluators.datasets import layout, table
from taskgraft.evaluators.datasets.archive import extract
from taskgraft.evaluators.datasets.check import check_manifest, check_tables
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.layout import find_layout, find_tables
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.paths import walk
from taskgraft.evaluators.datasets.published.known import CORPORA
from taskgraft.evaluators.datasets.published.reading import Published
from taskgraft.evaluators.datasets.splits import Split

from ..corpora import faults_of, write_lines, write_tone
from .copies import COPIES

every_corpus = pytest.mark.parametrize("reader", CORPORA, ids=lambda reader: reader.name)


@every_corpus
def test_a_copy_passes_the_check(reader: Published, tmp_path: Path) -> None:
    root = COPIES[reader.name](tmp_path / "copy")
    assert find_layout(root).corpus is reader
    report = check_manifest(root)
    assert report.faults == ()
    assert report.clips == sum(report.splits.values())
    assert all(report.splits.values())
    assert report.groups > 0
    corpus = read_corpus(root)
    assert all((root / path).is_file() for path in corpus.paths)
    assert set(corpus.splits) == set(Split)


@every_corpus
def test_only_its_reader_knows_a_copy(reader: Published, tmp_path: Path) -> None:
    names = frozenset(walk(COPIES[reader.name](tmp_path)))
    assert [other.name for other in CORPORA if other.tables(names)] == [reader.name]
    assert set(reader.tables(names)) <= names


@every_corpus
def test_a_manifest_goes_before_the_corpus(reader: Published, tmp_path: Path) -> None:
    root = COPIES[reader.name](tmp_path)
    write_lines(root / "manifest.csv", "path,label", "a.wav,cat")
    assert find_layout(root).corpus is None
    assert find_tables(list(walk(root)), "here") == ("manifest.csv",)


@every_corpus
def test_an_upload_holds_the_same_corpus(reader: Published, tmp_path: Path) -> None:
    root = COPIES[reader.name](tmp_path / "copy")
    (tmp_path / "copy.zip").write_bytes(b"".join(upload_chunks(root)))
    extract(tmp_path / "copy.zip", tmp_path / "arrived")
    sent, arrived = read_corpus(root, "corpus"), read_corpus(tmp_path / "arrived", "corpus")
    assert [path.rpartition("/")[2] for path in arrived.paths] == [path.rpartition("/")[2] for path in sent.paths]
    assert (arrived.splits, arrived.groups, arrived.labels) == (sent.splits, sent.groups, sent.labels)
    assert (arrived.segments, arrived.annotated) == (sent.segments, sent.annotated)


@every_corpus
def test_a_change_of_a_list_is_noticed(reader: Published, tmp_path: Path) -> None:
    root = COPIES[reader.name](tmp_path)
    before = fingerprint(read_corpus(root))
    path = find_layout(root).files[-1]
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert fingerprint(read_corpus(root)) != before


@every_corpus
def test_a_recording_that_is_a_link_out_of_the_folder_is_a_fault(reader: Published, tmp_path: Path) -> None:
    root = COPIES[reader.name](tmp_path / "copy")
    clip = root / read_corpus(root).paths[0]
    clip.unlink()
    clip.symlink_to(write_tone(tmp_path / "elsewhere.wav"))
    faults = faults_of(lambda: read_corpus(root))
    assert any("is a link out of it" in fault.message for fault in faults)


@every_corpus
def test_a_list_that_is_a_link_out_of_the_folder_is_a_fault(reader: Published, tmp_path: Path) -> None:
    root = COPIES[reader.name](tmp_path / "copy")
    path = find_layout(root).files[0]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert any("link out of it" in fault.message for fault in faults_of(lambda: read_corpus(root)))


@every_corpus
def test_linked_folders_are_not_followed(reader: Published, tmp_path: Path) -> None:
    root = COPIES[reader.name](tmp_path / "copy")
    folder = (root / read_corpus(root).paths[0]).parent
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    left = check_tables(root)
    clips = [] if left.fault_count else read_corpus(root).paths
    assert not [path for path in clips if (root / path).is_relative_to(folder)]


@every_corpus
def test_the_lists_are_bounded_together(reader: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = COPIES[reader.name](tmp_path)
    total = sum(path.stat().st_size for path in find_layout(root).files)
    monkeypatch.setattr(layout, "MAX_LIST_BYTES", total - 1)
    (fault,) = faults_of(lambda: read_corpus(root))
    assert fault.message == f"the lists have at most {total - 1:,} bytes; got {total:,}"


@every_corpus
def test_each_list_is_bounded_as_a_table_is(reader: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = COPIES[reader.name](tmp_path)
    monkeypatch.setattr(table, "MAX_BYTES", 10)
    wheres = {fault.where for fault in faults_of(lambda: read_corpus(root)) if "at most 10 bytes" in fault.message}
    assert wheres
    assert wheres <= set(find_layout(root).tables)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: build(tmp_path_factory.mktemp(name)) for name, build in COPIES.items()}


LINES = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(("../x.wav", "/etc/passwd", "audio/a.wav", "", "nan", "-1", "Dog", "[0.1 - 0.2]"))).map(
        "\t".join
    ),
)


@every_corpus
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_a_line_says_the_check_ends_well(
    copies: dict[str, Path], reader: Published, data: st.DataObject
) -> None:
    """A broken line becomes a fault of a file of the folder, or is read; no clip lies outside the folder."""
    root = copies[reader.name]
    path = data.draw(st.sampled_from(find_layout(root).files))
    before = path.read_bytes()
    lines = before.decode().split("\n")
    lines[data.draw(st.integers(0, len(lines) - 1))] = data.draw(LINES)
    try:
        path.write_bytes("\n".join(lines).encode(errors="replace"))
        report = check_tables(root)
        named = {root.name, *(str(file.relative_to(root)) for file in find_layout(root).files)}
        assert {fault.where.rpartition(":")[0] or fault.where for fault in report.faults} <= named
        if report.ok:
            assert all((root / clip).resolve().is_relative_to(root.resolve()) for clip in read_corpus(root).paths)
    finally:
        path.write_bytes(before)
