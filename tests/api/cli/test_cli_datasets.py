"""`datasets check` and `plan`: what a study's data hold, and what the study would cost."""

import json
from pathlib import Path

import pytest

from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.search.study.device import torch_version
from tests.api.cli.commands import taskgraft, write
from tests.evaluators.datasets.corpora import sound_corpus
from tests.evaluators.datasets.published.copies import desed, speech_commands

SEGMENTS = [f"{split}-{label}.wav,0.01,0.05,call" for split in ("train", "validation", "test") for label in ("cat",)]


def test_a_sound_data_set_is_counted(tmp_path: Path) -> None:
    said = taskgraft("datasets", "check", sound_corpus(tmp_path / "a corpus", SEGMENTS))
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "6 clips, 0.6 s of audio"
    assert lines[-1] == "no faults"
    assert [line.split() for line in lines if "cat" in line] == [["│", "cat", "│", "1", "│", "1", "│", "1", "│"]]
    assert "call: 0.1 s in clips of 1 train, 1 validation, 1 test" in lines


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    manifest = sound_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / "test-cat.wav").write_bytes(b"no sound")
    with manifest.open("a") as file:
        file.write("away.wav,train,cat\ntrain-cat.wav,sunday,dog\n")
    said = taskgraft("datasets", "check", manifest)
    assert said.code == 2
    faults = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert any(fault.startswith("error: manifest.csv:9: ") and "'sunday'" in fault for fault in faults)
    assert any(fault.startswith("error: manifest.csv:6: test-cat.wav: ") for fault in faults)
    assert any(fault.startswith("error: manifest.csv:8: away.wav: ") for fault in faults)
    assert said.out.splitlines()[-1] == f"{len(faults)} faults"
    report = taskgraft("datasets", "check", manifest, "--json")
    assert report.code == 2
    assert [f"error: {fault['where']}: {fault['message']}" for fault in report.document["faults"]] == faults
    assert report.document["ok"] is False


def test_a_copy_of_a_public_corpus_is_counted(tmp_path: Path) -> None:
    said = taskgraft("datasets", "check", speech_commands(tmp_path / "speech_commands_v0.02"))
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == "8 clips, 0.8 s of audio"
    assert lines[-1] == "no faults"
    assert [line.split() for line in lines if "yes" in line] == [["│", "yes", "│", "2", "│", "1", "│", "1", "│"]]


def test_a_study_names_the_folder_of_a_corpus(tmp_path: Path) -> None:
    speech_commands(tmp_path / "commands")
    desed(tmp_path / "desed")
    tasks = """
ar_threshold: 0.02
tasks:
  - {name: word, dataset: ./commands, target: word}
  - {name: dog, dataset: ./desed, target: Dog, kind: frames}
training: {epochs: 30}
"""
    said = taskgraft("plan", write(tmp_path / "study.yaml", tasks), "--json")
    assert said.code == 0, said.err
    assert said.document["clips"]["word"] == {"train": 4, "validation": 2, "test": 2}
    assert said.document["clips"]["dog"] == {"train": 2, "validation": 2, "test": 1}


def test_the_report_is_json(tmp_path: Path) -> None:
    manifest = sound_corpus(tmp_path / "corpus", SEGMENTS)
    said = taskgraft("datasets", "check", manifest, "--json")
    assert said.code == 0
    assert said.document == json.loads(json.dumps(check_manifest(manifest).to_json()))


def test_a_manifest_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    said = taskgraft("datasets", "check", tmp_path / "manifest.csv")
    assert said.code == 2
    assert "manifest.csv" in said.err


STUDY = """
name: animals
ar_threshold: 0.02
tasks:
  - {name: animal, dataset: a corpus/manifest.csv, target: animal}
  - {name: call, dataset: a corpus/manifest.csv, target: call, kind: frames}
depths: [6, 8]
training: {epochs: 30}
"""


def test_a_plan_counts_trainings_and_clips(tmp_path: Path) -> None:
    every = [f"{split}-{label}.wav" for split in ("train", "validation", "test") for label in ("cat", "dog")]
    sound_corpus(tmp_path / "a corpus", [f"{clip},0.01,0.05,call" for clip in every])
    study = write(tmp_path / "study.yaml", STUDY)
    said = taskgraft("plan", study, "--json")
    assert said.code == 0, said.err
    plan = said.document
    assert (plan["trials_at_least"], plan["trials_at_most"]) == (3, 5)
    assert plan["clips"]["animal"] == {"train": 2, "validation": 2, "test": 2}
    assert 0 < plan["seconds_at_least"] <= plan["seconds_at_most"]
    assert plan["fully_shared_parameters"] < plan["independent_parameters"]
    text = taskgraft("plan", study)
    assert "animal: 2 train, 2 validation, 2 test" in text.out.splitlines()
    assert {one.name for one in tmp_path.iterdir()} == {"a corpus", "study.yaml"}


@pytest.mark.skipif(not torch_version().endswith("+cpu"), reason=f"torch {torch_version()} may find a GPU")
def test_a_plan_refuses_a_device_that_torch_does_not_know(tmp_path: Path) -> None:
    sound_corpus(tmp_path / "a corpus")
    clips_only = "".join(line for line in STUDY.splitlines(keepends=True) if "call" not in line)
    said = taskgraft("plan", write(tmp_path / "study.yaml", clips_only.replace("epochs: 30", "device: cuda")))
    assert said.code == 2
    assert "training.device: cuda is not there; torch" in said.err
