from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taskgraft.errors import InvalidInput, MalformedInput
from taskgraft.evaluators.datasets import table
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.table import Table, read_lines, read_table, read_tabs

from .corpora import faults_of, found


def read(path: Path, content: bytes) -> tuple[Table, FaultLog]:
    path.write_bytes(content)
    log = FaultLog()
    return read_table(path, ["path"], log), log


def test_lines_stay_right_across_quoted_newlines_and_blank_lines(tmp_path: Path) -> None:
    read_in, log = read(tmp_path / "m.csv", b'path,word\na,"two\nlines"\n\nb,one\nc,"x\ny\nz"\nd,last\n')
    assert read_in.columns == {"path": ["a", "b", "c", "d"], "word": ["two\nlines", "one", "x\ny\nz", "last"]}
    assert [read_in.at(row) for row in range(4)] == ["m.csv:2", "m.csv:5", "m.csv:6", "m.csv:9"]
    assert log.count == 0


def test_a_byte_order_mark_and_windows_lines_make_no_difference(tmp_path: Path) -> None:
    read_in, _ = read(tmp_path / "m.csv", b"\xef\xbb\xbfpath , word\r\na, yes\r\nb,no \r\n")
    assert read_in.columns == {"path": ["a", "b"], "word": ["yes", "no"]}
    assert read_in.lines == [2, 3]


def test_rows_of_the_wrong_length_are_logged_and_left_out(tmp_path: Path) -> None:
    read_in, log = read(tmp_path / "m.csv", b"path,word\na\nb,yes\nc,no,more\n")
    assert read_in.columns["path"] == ["b"]
    assert found(log.faults, "m.csv:2", "2 fields, as the header has; got 1")
    assert found(log.faults, "m.csv:4", "got 3")


def test_every_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    content = "path,word\na,no\nb,ja\nc,größer\nd,ok\ne,schön\n".encode("latin-1")
    with pytest.raises(MalformedInput) as raised:
        read(tmp_path / "m.csv", content)
    assert [fault.where for fault in raised.value.faults] == ["m.csv:4", "m.csv:6"]
    assert "UTF-8" in raised.value.faults[0].message


def test_a_quote_that_never_closes_is_malformed(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match=r"m\.csv:3: is no CSV"):
        read(tmp_path / "m.csv", b'path,word\na,no\nb,"never\n')


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"file,word\n", r"column 'path' is missing; there are \['file', 'word'\]"),
        (b"", "column 'path' is missing"),
        (b"path;word\na;b\n", "column 'path' is missing"),
        (b"path,word,word\n", "column 'word' appears more than once"),
        (b"path,,word\n", "every column has a name"),
    ],
)
def test_faults_of_the_header(tmp_path: Path, header: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=r"m\.csv:1: " + message):
        read(tmp_path / "m.csv", header)


def test_a_missing_file_and_a_folder_are_malformed_input(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "none.parquet"):
        with pytest.raises(MalformedInput, match=r"does not exist: /|cannot be read"):
            read_table(path, ["path"], FaultLog())


def test_an_oversized_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_BYTES", 10)
    with pytest.raises(MalformedInput, match="at most 10 bytes; got 12"):
        read(tmp_path / "m.csv", b"path\naaa\nbbb")


def test_parquet_cells_become_text_and_gaps_stay_empty(tmp_path: Path) -> None:
    columns = {
        "path": pa.array(["a.wav", "b.wav"]),
        "age": pa.array([31.0, None]),
        "level": pa.array([0.1, float("nan")]),
        "take": pa.array([1, None], pa.int32()),
        "ok": pa.array([True, False]),
        "word": pa.array(["yes ", None]).dictionary_encode(),
        "nothing": pa.nulls(2),
    }
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    read_in = read_table(tmp_path / "m.parquet", ["path"], FaultLog())
    assert read_in.columns == {
        "path": ["a.wav", "b.wav"],
        "age": ["31", ""],
        "level": ["0.1", ""],
        "take": ["1", ""],
        "ok": ["true", "false"],
        "word": ["yes", ""],
        "nothing": ["", ""],
    }
    assert read_in.at(1) == "m.parquet:2"


def test_parquet_faults(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"path": ["a"], "tags": [["x", "y"]], "raw": [b"x"]}), path)
    log = FaultLog()
    assert list(read_table(path, ["path"], log).columns) == ["path"]
    assert found(log.faults, "m.parquet", "column 'tags' holds list")
    assert found(log.faults, "m.parquet", "column 'raw' holds binary")
    pq.write_table(pa.table({"file": ["a"]}), path)
    assert found(faults_of(lambda: read_table(path, ["path"], log)), "m.parquet", "column 'path' is missing")
    path.write_bytes(b"PAR1 but not really PAR1")
    with pytest.raises(MalformedInput):
        read_table(path, ["path"], log)


def test_parquet_that_claims_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"path": ["a", "b", "c"]}), tmp_path / "m.parquet")
    monkeypatch.setattr(table, "MAX_ROWS", 2)
    with pytest.raises(MalformedInput, match="at most 2 rows; got 3"):
        read_table(tmp_path / "m.parquet", ["path"], FaultLog())


def test_tabs_separate_cells_and_quotes_mean_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b'path\tsentence\na.mp3\tHe said "no\nb.mp3\t"a", b\nc.mp3\n')
    log = FaultLog()
    read_in = read_tabs(path, ["path"], log)
    assert read_in.columns == {"path": ["a.mp3", "b.mp3"], "sentence": ['He said "no', '"a", b']}
    assert found(log.faults, "m.csv:4", "2 fields, as the header has; got 1")


def test_lines_are_counted_with_blank_ones(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbfa.wav \r\n\nb.wav")
    assert read_lines(path) == ["a.wav", "", "b.wav"]
    with pytest.raises(MalformedInput, match=r"none\.txt: does not exist"):
        read_lines(tmp_path / "none.txt")
