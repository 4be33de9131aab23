from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.segments import Segments, read_segments

from .corpora import found, write_lines

PLACES = {"a.wav": 0, "b.wav": 1, "c.wav": 2}


def read(folder: Path, *rows: str) -> tuple[Segments, FaultLog]:
    log = FaultLog()
    path = write_lines(folder / "segments.csv", "path,onset,offset,event", *rows)
    return read_segments(path, PLACES, log), log


def test_without_a_file_nothing_is_annotated(tmp_path: Path) -> None:
    log = FaultLog()
    assert read_segments(tmp_path / "segments.csv", PLACES, log) == Segments()
    assert log.count == 0


def test_regions_are_sorted_and_those_that_touch_become_one(tmp_path: Path) -> None:
    segments, log = read(tmp_path, "a.wav,3,4,dog", "./a.wav,0,1,dog", "a.wav,1,2,dog", "a.wav,0.5,3.5,cat")
    assert log.count == 0
    assert segments.regions == {"dog": {0: ((0.0, 2.0), (3.0, 4.0))}, "cat": {0: ((0.5, 3.5),)}}
    assert sorted(segments.ends[0]) == [(1.0, 3), (2.0, 4), (3.5, 5), (4.0, 2)]


def test_a_bare_path_says_that_nothing_sounds_and_silence_says_nothing(tmp_path: Path) -> None:
    segments, log = read(tmp_path, "a.wav,0,1,dog", "b.wav,,,")
    assert log.count == 0
    assert segments.annotated == {0, 1}
    assert 1 not in segments.regions["dog"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav,-0.1,1,dog", "starts at 0 or later; got -0.1"),
        ("a.wav,2,1,dog", "offset lies after its onset; got 2 to 1"),
        ("a.wav,1,1,dog", "offset lies after its onset"),
        ("a.wav,nan,1,dog", "finite"),
        ("a.wav,0,inf,dog", "finite"),
        ("a.wav,zero,1,dog", "numbers of seconds; got 'zero' and '1'"),
        ("a.wav,,1,dog", "numbers of seconds"),
        ("a.wav,,,dog", "numbers of seconds"),
        ("a.wav,0,1,", "names its event"),
        ("z.wav,0,1,dog", "no clip of the manifest has the path 'z.wav'"),
        ("../a.wav,0,1,dog", "no clip of the manifest has the path"),
        (",0,1,dog", "no clip of the manifest has the path ''"),
        ("z.wav,,,", "no clip of the manifest has the path"),
        ("a.wav,0,1", "4 fields"),
    ],
)
def test_faults_say_their_line(tmp_path: Path, row: str, message: str) -> None:
    segments, log = read(tmp_path, "b.wav,0,1,dog", row, "c.wav,0,1,dog")
    assert log.count == 1
    assert found(log.faults, "segments.csv:3", message)
    assert segments.regions == {"dog": {1: ((0.0, 1.0),), 2: ((0.0, 1.0),)}}


def test_one_row_may_have_several_faults(tmp_path: Path) -> None:
    _, log = read(tmp_path, "z.wav,2,1,")
    assert [fault.where for fault in log.faults] == ["segments.csv:2"] * 3


def test_overlap_is_a_fault_within_one_event_of_one_clip_only(tmp_path: Path) -> None:
    _, log = read(tmp_path, "a.wav,0,2,dog", "a.wav,1,3,cat", "b.wav,1,3,dog", "a.wav,1.5,1.7,dog")
    assert log.count == 1
    assert found(log.faults, "segments.csv:5", "don't overlap; 1.5 lies before 2")


def test_a_broken_file_is_a_fault_of_the_data_set(tmp_path: Path) -> None:
    log = FaultLog()
    read_segments(write_lines(tmp_path / "segments.csv", "path,start,end,event"), PLACES, log)
    assert found(log.faults, "segments.csv:1", "column 'onset' is missing")
    assert found(log.faults, "segments.csv:1", "column 'offset' is missing")


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), min_size=1, max_size=8))
def test_merging_agrees_with_marking_every_tick(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("segments")
    segments, log = read(folder, *(f"a.wav,{onset},{onset + length},dog" for onset, length in spans))
    ticks = [tick for onset, length in spans for tick in range(onset, onset + length)]
    regions = segments.regions["dog"][0]
    assert [tick for onset, offset in regions for tick in range(int(onset), int(offset))] == sorted(set(ticks))
    assert all(before[1] < after[0] for before, after in pairwise(regions))
    assert (log.count > 0) == (len(ticks) > len(set(ticks)))
