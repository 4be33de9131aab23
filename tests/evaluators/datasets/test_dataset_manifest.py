import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split, make_splits

from .corpora import faults_of, found, sound_corpus, write_lines


def test_a_sound_manifest(tmp_path: Path) -> None:
    corpus = read_corpus(sound_corpus(tmp_path / "animals", ["train-cat.wav,0,0.05,meow", "train-dog.wav,,,"]))
    assert corpus.name == "animals"
    assert len(corpus) == 6
    assert corpus.paths[:2] == ("train-cat.wav", "train-dog.wav")
    assert corpus.splits == (Split.TRAIN,) * 2 + (Split.VALIDATION,) * 2 + (Split.TEST,) * 2
    assert corpus.labels == {"animal": ("cat", "dog") * 3}
    assert corpus.segments == {"meow": {0: ((0.0, 0.05),)}}
    assert corpus.annotated == {0, 1}
    assert corpus.audio(1) == tmp_path / "animals" / "train-dog.wav"
    assert pickle.loads(pickle.dumps(corpus)) == corpus


def test_the_name_can_be_given(tmp_path: Path) -> None:
    assert read_corpus(sound_corpus(tmp_path), "zoo").name == "zoo"


def test_parquet_and_csv_give_the_same_corpus(tmp_path: Path) -> None:
    csv = read_corpus(sound_corpus(tmp_path), "zoo")
    pq.write_table(
        pa.table({"path": csv.paths, "split": [str(split) for split in csv.splits], "animal": csv.labels["animal"]}),
        tmp_path / "manifest.parquet",
    )
    parquet = read_corpus(tmp_path / "manifest.parquet", "zoo")
    assert (parquet.paths, parquet.splits, parquet.labels) == (csv.paths, csv.splits, csv.labels)


def test_all_faults_come_at_once_each_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "out.wav").symlink_to(tmp_path.parent / "secret.wav")
    write_lines(tmp_path / "segments.csv", "path,onset,offset,event", "a.wav,1,0,dog", "nobody.wav,0,1,dog")
    manifest = write_lines(
        tmp_path / "manifest.csv",
        "path,split,word",
        "a.wav,train,yes",
        'b.wav,training,"two\nlines"',
        "./a.wav,test,no",
        "../c.wav,test,no",
        "/d.wav,dev,no",
        "out.wav,test,no",
        "e.wav,test",
        ",test,no",
    )
    faults = faults_of(lambda: read_corpus(manifest))
    expected = [
        ("manifest.csv:3", "a split is one of train, validation, test; got 'training'"),
        ("manifest.csv:5", "a clip appears once; 'a.wav' is already at manifest.csv:2"),
        ("manifest.csv:6", "stays inside the manifest's folder; got '../c.wav'"),
        ("manifest.csv:7", "stays inside the manifest's folder; got '/d.wav'"),
        ("manifest.csv:7", "got 'dev'"),
        ("manifest.csv:8", "is a link out of it"),
        ("manifest.csv:9", "3 fields"),
        ("manifest.csv:10", "a path is not empty"),
        ("segments.csv:2", "offset lies after its onset"),
        ("segments.csv:3", "no clip of the manifest has the path 'nobody.wav'"),
    ]
    assert [pair for pair in expected if not found(faults, *pair)] == []
    assert len(faults) == len(expected)


def test_an_empty_manifest_is_a_fault(tmp_path: Path) -> None:
    manifest = write_lines(tmp_path / "manifest.csv", "path,split")
    assert found(faults_of(lambda: read_corpus(manifest)), "manifest.csv", "at least one clip; got none")


def test_an_empty_split_is_not_guessed(tmp_path: Path) -> None:
    manifest = write_lines(tmp_path / "manifest.csv", "path,split", "a.wav,train", "b.wav,")
    assert found(faults_of(lambda: read_corpus(manifest)), "manifest.csv:3", "got ''")


def test_splits_are_made_by_group_where_there_are_none(tmp_path: Path) -> None:
    rows = [f"{place}.wav,speaker-{place % 5},yes" for place in range(30)]
    corpus = read_corpus(write_lines(tmp_path / "manifest.csv", "path,group,word", *rows))
    assert corpus.splits == make_splits([f"speaker-{place % 5}" for place in range(30)])
    assert set(corpus.labels) == {"word"}


def test_a_clip_without_a_group_is_a_group_of_its_own(tmp_path: Path) -> None:
    rows = ["a.wav,", "b.wav,", "c.wav,", "d.wav,ann", "e.wav,ann"]
    corpus = read_corpus(write_lines(tmp_path / "manifest.csv", "path,group", *rows))
    assert corpus.splits == make_splits(["a.wav", "b.wav", "c.wav", "ann", "ann"])


def test_too_few_groups_to_split_is_a_fault(tmp_path: Path) -> None:
    manifest = write_lines(tmp_path / "manifest.csv", "path,group", "a.wav,x", "b.wav,y", "c.wav,x")
    assert found(faults_of(lambda: read_corpus(manifest)), "manifest.csv:1", "at least 3 groups; got 2")


def test_a_flood_of_faults_is_cut_and_counted(tmp_path: Path) -> None:
    manifest = write_lines(tmp_path / "manifest.csv", "path,split", *(f"{place}.wav,dev" for place in range(2_000)))
    with pytest.raises(InvalidInput) as raised:
        read_corpus(manifest)
    assert len(raised.value.faults) == 100
    assert raised.value.listed()[-1].message == "and 1,900 more"
