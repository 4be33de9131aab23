import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.evaluators.datasets.splits import Split

from .corpora import found, sound_corpus, write_lines, write_tone


def test_a_sound_data_set(tmp_path: Path) -> None:
    rows = [f"{split}-cat.wav,0.01,0.03,meow" for split in Split]
    seen: list[tuple[int, int]] = []
    report = check_manifest(sound_corpus(tmp_path, rows), lambda done, total: seen.append((done, total)))
    assert report.ok
    assert report.warnings == ()
    assert (report.clips, report.seconds, report.sample_rates) == (6, 0.6, {8_000: 6})
    assert report.splits == dict.fromkeys(Split, 2)
    assert report.labels["animal"].counts == {split: {"cat": 1, "dog": 1} for split in Split}
    assert report.events["meow"].seconds == 0.06
    assert report.events["meow"].clips == dict.fromkeys(Split, 1)
    assert seen == [(done, 6) for done in range(1, 7)]


def test_the_json_form_is_plain(tmp_path: Path) -> None:
    report = json.loads(json.dumps(check_manifest(sound_corpus(tmp_path)).to_json()))
    assert report["ok"] is True
    assert report["sample_rates"] == {"8000": 6}
    assert report["labels"]["animal"]["counts"]["train"] == {"cat": 1, "dog": 1}


def test_every_fault_of_tables_and_audio_in_one_report(tmp_path: Path) -> None:
    manifest = sound_corpus(
        tmp_path,
        ["train-cat.wav,0,0.105,meow", "train-cat.wav,0.2,0.3,meow", "test-cat.wav,0,9,meow", "train-dog.wav,3,2,x"],
    )
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8_000, subtype="FLOAT")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8_000)
    (tmp_path / "text.wav").write_text("no sound")
    with manifest.open("a") as file:
        file.write(
            "gone.wav,train,cat\nnan.wav,dev,cat\nempty.wav,train,cat\ntext.wav,train,cat\n../x.wav,train,cat\nx,y\n"
        )
    report = check_manifest(manifest)
    expected = [
        ("segments.csv:3", "ends within its clip, 0.100 s long; got 0.3"),
        ("segments.csv:4", "got 9"),
        ("segments.csv:5", "offset lies after its onset"),
        ("manifest.csv:8", "gone.wav: there is no such file"),
        ("manifest.csv:9", "nan.wav: every sample is a finite number"),
        ("manifest.csv:9", "a split is one of"),
        ("manifest.csv:10", "empty.wav: a recording holds at least one sample"),
        ("manifest.csv:11", "text.wav: is no readable recording"),
        ("manifest.csv:12", "stays inside"),
        ("manifest.csv:13", "3 fields"),
    ]
    assert [pair for pair in expected if not found(report.faults, *pair)] == []
    assert report.fault_count == len(expected)
    assert not report.ok
    assert (report.clips, report.sample_rates) == (10, {8_000: 6})


def test_what_is_no_table_is_reported_not_raised(tmp_path: Path) -> None:
    report = check_manifest(write_lines(tmp_path / "manifest.csv", "file,split"))
    assert found(report.faults, "manifest.csv:1", "column 'path' is missing")
    assert found(check_manifest(tmp_path / "none.csv").faults, "none.csv", f"does not exist: {tmp_path}/none.csv")


def test_an_empty_split_is_a_fault_and_one_class_a_warning(tmp_path: Path) -> None:
    for name in "abcd":
        write_tone(tmp_path / f"{name}.wav")
    rows = ["a.wav,train,cat,x", "b.wav,train,cat,y", "c.wav,validation,,x"]
    report = check_manifest(write_lines(tmp_path / "manifest.csv", "path,split,animal,word", *rows))
    assert [str(fault) for fault in report.faults] == ["manifest.csv:1: every split has clips; test has none"]
    assert (
        "label column 'animal' can't be a target: train shows one class only, 'cat'; a task tells at least 2 apart"
        in report.warnings
    )


def test_doubtful_targets_and_imbalance_are_warnings(tmp_path: Path) -> None:
    rows = [f"{place}.wav,train,{'rare' if place == 0 else 'often'},ann" for place in range(22)]
    rows += ["v.wav,validation,new,ann", "t.wav,test,often,ben"]
    for row in rows:
        write_tone(tmp_path / row.split(",")[0], seconds=0.01)
    write_lines(tmp_path / "segments.csv", "path,onset,offset,event", "0.wav,0,0.01,beep")
    report = check_manifest(write_lines(tmp_path / "manifest.csv", "path,split,word,group", *rows))
    assert report.ok
    assert report.warnings == (
        "label column 'word' can't be a target: train never shows what validation has: 'new'",
        "label column 'word' is imbalanced: train has 21 clips of 'often', 1 of 'rare'",
        "event 'beep' can't be a target: no clip of the split validation is annotated",
        "event 'beep' can't be a target: no clip of the split test is annotated",
        "1 groups lie in more than one split, 'ann' first: accuracies will flatter",
    )


def test_a_measure_is_not_taken_for_classes(tmp_path: Path) -> None:
    rows = [f"{place}.wav,{list(Split)[place % 3]},{place},{place % 2}" for place in range(120)]
    for row in rows:
        write_tone(tmp_path / row.split(",")[0], seconds=0.01)
    report = check_manifest(write_lines(tmp_path / "manifest.csv", "path,split,age,side", *rows))
    assert report.ok
    assert report.warnings == ()
    assert report.labels["age"].distinct == 120
    assert report.labels["age"].counts == {}


@pytest.mark.parametrize("name", ["manifest.csv", "segments.csv"])
def test_tables_that_are_links_out_of_the_folder_are_not_read(tmp_path: Path, name: str) -> None:
    manifest = sound_corpus(tmp_path / "corpus", ["test-cat.wav,0,0.01,meow"])
    table = manifest.with_name(name)
    table.rename(tmp_path / "secret")
    table.symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("a secret\n")
    (fault,) = check_manifest(manifest.parent).faults
    assert (fault.where, "is a link out of it" in fault.message) == (name, True)


@pytest.mark.parametrize("name", ["manifest.csv", "segments.csv"])
def test_nobody_waits_for_a_table_that_is_a_pipe(tmp_path: Path, name: str) -> None:
    manifest = sound_corpus(tmp_path / "corpus", ["test-cat.wav,0,0.01,meow"])
    manifest.with_name(name).unlink()
    os.mkfifo(manifest.with_name(name))
    (fault,) = check_manifest(manifest.parent).faults
    assert (fault.where, fault.message) == (name, "is not a plain file")


def test_tables_may_be_links_inside_the_folder(tmp_path: Path) -> None:
    manifest = sound_corpus(tmp_path / "corpus")
    manifest.symlink_to(manifest.rename(manifest.with_name("first.table")))
    assert check_manifest(manifest.parent).ok
