from pathlib import Path

from taskgraft.evaluators.datasets.check import check_tables
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split

from ..corpora import faults_of, found, write_lines
from .copies import PLACES, append, column, groups, splits, tau_urban

META = "meta.csv"
TRAIN, TEST = "evaluation_setup/fold1_train.csv", "evaluation_setup/fold1_evaluate.csv"


def test_the_fold_is_the_split_and_validation_is_drawn_by_place(tmp_path: Path) -> None:
    corpus = read_corpus(tau_urban(tmp_path))
    assert set(corpus.labels) == {"scene", "device"}
    assert column(corpus, "scene")["audio/park-lyon-1001-0-s1.wav"] == "park"
    assert column(corpus, "device")["audio/park-lyon-1001-0-s1.wav"] == "s1"
    assert groups(corpus)["audio/park-lyon-1001-0-s1.wav"] == "lyon-1001"
    by_place: dict[str, set[str]] = {}
    for path, split in splits(corpus).items():
        by_place.setdefault(groups(corpus)[path], set()).add(split)
    assert [by_place[place] for place in PLACES[4:]] == [{"test"}, {"test"}]
    trained = [by_place[place] for place in PLACES[:4]]
    assert all(len(found_splits) == 1 for found_splits in trained)
    assert {"train"} in trained
    assert {"validation"} in trained
    assert splits(read_corpus(tmp_path)) == splits(corpus)


def test_clips_in_no_list_are_left_out_and_told(tmp_path: Path) -> None:
    report = check_tables(tau_urban(tmp_path))
    assert report.ok
    assert report.clips == 24
    assert "clips of meta.csv that are in no list of the fold are left out: 1" in report.warnings
    assert set(report.labels["device"].counts[Split.TRAIN]) == {"a", "s1"}


def test_a_device_that_only_the_test_has_is_told(tmp_path: Path) -> None:
    root = tau_urban(tmp_path)
    append(root / TEST, "audio/bus-oslo-7-0-s6.wav\tbus")
    report = check_tables(root)
    assert report.ok
    assert "label column 'device' can't be a target: train never shows what test has: 's6'" in report.warnings


def test_the_test_list_does_without_labels(tmp_path: Path) -> None:
    before = splits(read_corpus(tau_urban(tmp_path)))
    (tmp_path / TEST).unlink()
    corpus = read_corpus(tmp_path)
    assert splits(corpus) == before
    assert corpus.layout.tables[-1] == "evaluation_setup/fold1_test.csv"


def test_faults_name_the_list_and_its_line(tmp_path: Path) -> None:
    root = tau_urban(tmp_path)
    first = "audio/bus-lisbon-1000-0-a.wav"
    (root / first).unlink()
    train = append(root / TRAIN, "audio/none.wav\tbus", "alone")
    test = append(root / TEST, f"{first}\tbus")
    meta = append(root / META, "too\tfew")
    faults = faults_of(lambda: read_corpus(root))
    assert len(faults) == 5
    assert found(faults, f"{META}:2", f"'{first}' is not below")
    assert found(faults, f"{META}:{meta}", "a row has 4 fields")
    assert found(faults, f"{TRAIN}:{train}", "a list names clips of meta.csv; got 'audio/none.wav'")
    assert found(faults, f"{TRAIN}:{train + 1}", "a row has 2 fields")
    assert found(faults, f"{TEST}:{test}", f"is already at {TRAIN}:2")


def test_a_path_that_leads_out_of_the_folder(tmp_path: Path) -> None:
    root = tau_urban(tmp_path)
    line = append(root / META, "../audio/a.wav\tbus\tlisbon-1\ta")
    append(root / TRAIN, "../audio/a.wav\tbus")
    assert found(faults_of(lambda: read_corpus(root)), f"{META}:{line}", "stays inside")


def test_unknown_columns(tmp_path: Path) -> None:
    root = tau_urban(tmp_path)
    write_lines(root / META, "filename_audio\tscene_label\tidentifier", "audio/a.wav\tbus\tlisbon-1")
    faults = check_tables(root).faults
    assert found(faults, f"{META}:1", "column 'filename' is missing; there are ['filename_audio'")
    assert found(faults, f"{META}:1", "column 'source_label' is missing")
