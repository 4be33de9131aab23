"""Manifests in the forms that people already have."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.layout import find_tables
from taskgraft.evaluators.datasets.manifest import Corpus, read_corpus

from .corpora import faults_of, found, write_lines, write_tone

SPLITS = ("train", "validation", "test")


def clips(corpus: Corpus, label: str) -> dict[str, tuple[str, str]]:
    """Path -> split and label."""
    return {
        path: (split.value, value)
        for path, split, value in zip(corpus.paths, corpus.splits, corpus.labels[label], strict=True)
    }


def write_json_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    return write_lines(path, *map(json.dumps, rows))


def test_an_audio_folder_with_metadata_at_its_root(tmp_path: Path) -> None:
    rows = [f"{split}/{word}.wav,{word},7" for split in ("train", "valid", "test") for word in ("yes", "no")]
    write_lines(tmp_path / "metadata.csv", "file_name,word,path", *rows)
    write_lines(tmp_path / "segments.csv", "path,onset,offset,event", "train/yes.wav,0,1,speech")
    corpus = read_corpus(tmp_path)
    assert clips(corpus, "word")["valid/no.wav"] == ("validation", "no")
    assert set(corpus.labels) == {"word"}
    assert corpus.annotated == {0}
    assert clips(read_corpus(tmp_path / "metadata.csv"), "word") == clips(corpus, "word")
    assert fingerprint_of_tables(corpus) == ["metadata.csv"]


def fingerprint_of_tables(corpus: Corpus) -> list[str]:
    return [str(path.relative_to(corpus.root)) for path in corpus.layout.files]


def test_an_audio_folder_with_metadata_per_split(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        rows = [{"file_name": f"{word}.wav", "word": word, "loud": True, "words": [word]} for word in ("yes", "no")]
        write_json_lines(tmp_path / split / "metadata.jsonl", rows)
        for word in ("yes", "no"):
            write_tone(tmp_path / split / f"{word}.wav", hertz=300 if word == "yes" else 500)
    corpus = read_corpus(tmp_path)
    assert clips(corpus, "word")["dev/no.wav"] == ("validation", "no")
    assert set(corpus.labels["loud"]) == {"true"}
    report = check_manifest(tmp_path)
    assert report.ok
    assert report.clips == 6
    assert "column 'words' holds lists or objects, so it is no label" in report.warnings
    before = fingerprint(corpus)
    (tmp_path / "dev").rename(tmp_path / "swap")
    (tmp_path / "test").rename(tmp_path / "dev")
    (tmp_path / "swap").rename(tmp_path / "test")
    assert fingerprint(read_corpus(tmp_path)) == before  # both hold the same
    write_tone(tmp_path / "dev" / "yes.wav", hertz=400)
    changed = fingerprint(read_corpus(tmp_path))
    (tmp_path / "dev").rename(tmp_path / "validation")
    assert len({before, changed, fingerprint(read_corpus(tmp_path))}) == 3


def test_a_fault_names_the_metadata_of_its_split(tmp_path: Path) -> None:
    for split in SPLITS:
        write_lines(tmp_path / split / "metadata.csv", "file_name,word", "a.wav,yes", "../../b.wav,no")
    faults = faults_of(lambda: read_corpus(tmp_path))
    assert [fault.where for fault in faults] == [f"{split}/metadata.csv:3" for split in sorted(SPLITS)]
    assert "stays inside" in faults[0].message


def test_folders_as_splits_and_labels(tmp_path: Path) -> None:
    for split in SPLITS:
        for label in ("cat", "dog"):
            write_tone(tmp_path / split / label / "one.wav")
    write_lines(tmp_path / "train" / "cat" / "notes.txt", "no audio")
    corpus = read_corpus(tmp_path)
    assert clips(corpus, "label")["validation/dog/one.wav"] == ("validation", "dog")
    assert check_manifest(tmp_path).ok
    before = fingerprint(corpus)
    (tmp_path / "train" / "cat").rename(tmp_path / "train" / "cow")
    assert fingerprint(read_corpus(tmp_path)) != before
    (tmp_path / "train" / "dog" / "one.wav").write_text("no sound")
    assert found(check_manifest(tmp_path).faults, tmp_path.name, "train/dog/one.wav: is no readable recording")


def nemo_rows(root: Path, split: str) -> list[dict[str, Any]]:
    return [
        {"audio_filepath": f"{split}-yes.wav", "duration": 1.0, "offset": 0.0, "command": "yes", "text": None},
        {"audio_filepath": str(root / f"{split}-no.wav"), "duration": 1.25, "offset": 0, "command": "no"},
    ]


def test_nemo_manifests_of_the_splits(tmp_path: Path) -> None:
    for name, split in {"train_manifest.json": "train", "dev.json": "dev", "test-clean.jsonl": "test"}.items():
        write_json_lines(tmp_path / name, nemo_rows(tmp_path, split))
    write_lines(tmp_path / "package.json", "{}")
    corpus = read_corpus(tmp_path)
    assert clips(corpus, "command")["dev-no.wav"] == ("validation", "no")
    assert corpus.labels["duration"][:2] == ("1", "1.25")
    assert set(corpus.labels["text"]) == {""}
    assert "offset" not in corpus.labels
    alone = faults_of(lambda: read_corpus(tmp_path / "train_manifest.json"))
    assert [fault.message for fault in alone] == [f"every split has clips; {split} has none" for split in SPLITS[1:]]


def test_one_nemo_manifest_with_a_split_field_or_without(tmp_path: Path) -> None:
    rows = [{**row, "split": split} for split in ("train", "val", "test") for row in nemo_rows(tmp_path, split)]
    corpus = read_corpus(write_json_lines(tmp_path / "manifest.json", rows))
    assert clips(corpus, "command")["val-yes.wav"] == ("validation", "yes")
    rows = [{key: value for key, value in row.items() if key != "split"} for row in rows]
    assert len(set(read_corpus(write_json_lines(tmp_path / "manifest.json", rows)).splits)) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "a line is one JSON object; got list"),
        ("{", "a line is one JSON object; this one can't be read"),
        ("[" * 100_000, "can't be read"),
        ('{"audio_filepath": "a.wav", "word": "\\ud800"}', "can't be read"),
        ('{"audio_filepath": "a.wav", "n": ' + "9" * 5_000 + "}", "can't be read"),
        ('{"audio_filepath": "a.wav", "offset": 2.5}', "starts at offset 2.5: cut it"),
        ('{"audio_filepath": "/elsewhere/a.wav"}', "a path stays inside"),
        ('{"audio_filepath": "a.wav", "split": "sunday"}', "a split is one of"),
        ('{"word": "no"}', "a path is not empty"),
    ],
)
def test_faults_of_json_lines_have_their_line(tmp_path: Path, line: str, message: str) -> None:
    rows = [json.dumps({**row, "split": split}) for split in SPLITS for row in nemo_rows(tmp_path, split)]
    faults = faults_of(lambda: read_corpus(write_lines(tmp_path / "manifest.jsonl", *rows, "", line)))
    assert [fault.where for fault in faults if message in fault.message] == ["manifest.jsonl:8"]


@pytest.mark.parametrize(
    ("names", "tables"),
    [
        (["a.wav", "manifest.csv", "segments.csv"], ["manifest.csv"]),
        (["manifest.parquet"], ["manifest.parquet"]),
        (["metadata.jsonl", "train/a.wav"], ["metadata.jsonl"]),
        (["data/train/metadata.csv", "data/test/metadata.csv"], ["data/test/metadata.csv", "data/train/metadata.csv"]),
        (["manifest.json", "config.json"], ["manifest.json"]),
        (["train/cat/a.wav", "test/cat/a.FLAC"], []),
    ],
)
def test_the_tables_of_a_folder(names: list[str], tables: list[str]) -> None:
    assert find_tables(names, "zip") == tuple(tables)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "got none"),
        (["a.wav", "cat/b.wav", "notes.csv"], "got none"),
        (["manifest.csv", "manifest.parquet"], "got manifest.csv, manifest.parquet"),
        (["manifest.csv", "metadata.csv"], "got manifest.csv, metadata.csv"),
        (["metadata.csv", "metadata.jsonl"], "one manifest"),
        (["metadata.csv", "train/metadata.csv"], "one manifest"),
        (["train.jsonl", "train_manifest.json"], "one manifest"),
        (["a.jsonl", "b.jsonl"], "one manifest"),
    ],
)
def test_no_manifest_and_two_are_faults(names: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        find_tables(names, "zip")
