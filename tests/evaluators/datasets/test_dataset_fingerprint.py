import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import read_corpus

from .corpora import sound_corpus, write_lines, write_tone

SEGMENTS = "path,onset,offset,event"


def test_a_copy_elsewhere_has_the_same_fingerprint(tmp_path: Path) -> None:
    manifest = sound_corpus(tmp_path / "one", ["train-cat.wav,0,0.05,meow"])
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first, second = read_corpus(manifest), read_corpus(tmp_path / "two" / "manifest.csv", "other name")
    assert fingerprint(first) == fingerprint(second)
    assert len(fingerprint(first)) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda root: write_tone(root / "test-dog.wav", hertz=441),
        lambda root: write_lines(root / "segments.csv", SEGMENTS, "train-cat.wav,0,0.06,meow"),
        lambda root: (root / "segments.csv").unlink(),
        lambda root: (root / "manifest.csv").write_text((root / "manifest.csv").read_text() + "\n"),
    ],
)
def test_every_change_shows(tmp_path: Path, change: Callable[[Path], object]) -> None:
    manifest = sound_corpus(tmp_path, ["train-cat.wav,0,0.05,meow"])
    before = fingerprint(read_corpus(manifest))
    change(tmp_path)
    assert fingerprint(read_corpus(manifest)) != before


def test_two_clips_that_change_places_show(tmp_path: Path) -> None:
    manifest = sound_corpus(tmp_path)
    write_tone(tmp_path / "train-cat.wav", hertz=300)
    before = fingerprint(read_corpus(manifest))
    (tmp_path / "train-cat.wav").rename(tmp_path / "x")
    (tmp_path / "train-dog.wav").rename(tmp_path / "train-cat.wav")
    (tmp_path / "x").rename(tmp_path / "train-dog.wav")
    assert fingerprint(read_corpus(manifest)) != before


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    corpus = read_corpus(sound_corpus(tmp_path))
    (tmp_path / "test-dog.wav").unlink()
    with pytest.raises(InvalidInput, match=r"test-dog\.wav: is no file that can be read"):
        fingerprint(corpus)
