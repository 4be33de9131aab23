from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets import registry
from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.evaluators.datasets.demo_speech import RECIPE
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.registry import KNOWN, known_datasets, resolve_dataset

from .corpora import faults_of, needs_synthesizer, sound_corpus


def test_a_path_is_relative_to_the_study_file(tmp_path: Path) -> None:
    manifest = sound_corpus(tmp_path / "study" / "zoo")
    resolved = resolve_dataset("zoo/manifest.csv", tmp_path / "study", tmp_path / "data", allow_paths=True)
    assert resolved == manifest


@pytest.mark.parametrize("dataset", ["", "demo-speec", "x" * 5_000, "a\0b"])
def test_what_is_neither_a_name_nor_a_path_is_told_the_names(tmp_path: Path, dataset: str) -> None:
    (fault,) = faults_of(lambda: resolve_dataset(dataset, tmp_path, tmp_path, allow_paths=True))
    assert fault.where == "dataset"
    assert "demo-speech" in fault.message
    assert repr(dataset)[:300] in fault.message


@pytest.mark.parametrize("dataset", ["zoo/none.csv", "none.parquet", "zoo/../zo"])
def test_a_manifest_that_is_missing_is_said_to_be(tmp_path: Path, dataset: str) -> None:
    sound_corpus(tmp_path / "zoo")
    (fault,) = faults_of(lambda: resolve_dataset(dataset, tmp_path, tmp_path, allow_paths=True))
    assert fault == Fault("dataset", f"the manifest does not exist: {tmp_path / dataset}")


def test_paths_can_be_forbidden_without_saying_what_is_there(tmp_path: Path) -> None:
    sound_corpus(tmp_path / "zoo")
    there, not_there = (
        faults_of(lambda name=name: resolve_dataset(name, tmp_path, tmp_path, allow_paths=False))  # type: ignore[misc]
        for name in ("zoo/manifest.csv", "zoo/no-such-file")
    )
    assert there[0].message == not_there[0].message.replace("no-such-file", "manifest.csv")
    assert str(tmp_path) not in there[0].message


@needs_synthesizer
def test_the_demo_corpus_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEMO_CLIPS", 40)
    seen: list[int] = []
    assert known_datasets() == ("demo-speech",)
    half = tmp_path / "data" / "corpora" / f".demo-speech-{RECIPE}-{'5' * 32}"  # of a process that was killed
    half.mkdir(parents=True)
    for _ in range(2):
        manifest = resolve_dataset(
            "demo-speech", tmp_path, tmp_path / "data", allow_paths=False, progress=lambda done, _: seen.append(done)
        )
    assert manifest.is_relative_to(tmp_path / "data" / "corpora")
    assert len(read_corpus(manifest)) == 40
    assert len(seen) == 40
    assert not half.exists()


@needs_synthesizer
def test_two_who_ask_at_once_make_the_corpus_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEMO_CLIPS", 40)
    made: list[int] = []

    def ask() -> Path:
        return resolve_dataset("demo-speech", tmp_path, tmp_path, allow_paths=False, progress=count)

    def count(done: int, _total: int) -> None:
        made.append(done)

    with ThreadPoolExecutor(5) as threads:
        manifests = {future.result() for future in [threads.submit(ask) for _ in range(5)]}
    assert made == list(range(1, 41))
    assert len(read_corpus(manifests.pop())) == 40
    assert not manifests


@needs_synthesizer
def test_what_the_demo_corpus_holds_is_known_before_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEMO_CLIPS", 60)
    known = KNOWN["demo-speech"].report()
    assert not list(tmp_path.iterdir())
    found = check_manifest(KNOWN["demo-speech"].manifest(tmp_path))
    assert found.ok
    assert replace(known, events={}) == replace(found, events={})
    assert known.events["speech"] == replace(found.events["speech"], seconds=None)


def test_an_unknown_name_is_invalid_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="a dataset is one of demo-speech; got 'timit'"):
        resolve_dataset("timit", tmp_path, tmp_path, allow_paths=False)
