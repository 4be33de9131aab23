from pathlib import Path

import pytest

from taskgraft.evaluators.datasets.check import check_tables
from taskgraft.evaluators.datasets.manifest import read_corpus

from ..corpora import faults_of, found, write_lines, write_tone
from .copies import SPEAKERS, append, column, groups, speech_commands, splits


def test_folders_are_words_and_lists_are_splits(tmp_path: Path) -> None:
    corpus = read_corpus(speech_commands(tmp_path))
    assert set(corpus.labels) == {"word"}
    assert column(corpus, "word")["no/3d53244b_nohash_0.wav"] == "no"
    assert not [path for path in corpus.paths if path.startswith("_")]
    assert groups(corpus)["yes/0a7c2a8d_nohash_0.wav"] == "0a7c2a8d"
    of_speaker = {path.partition("/")[2][:8]: split for path, split in splits(corpus).items()}
    assert of_speaker == dict(zip(SPEAKERS, ("train", "train", "validation", "test"), strict=True))


def test_a_listed_clip_that_is_not_there_and_one_that_is_no_word(tmp_path: Path) -> None:
    root = speech_commands(tmp_path)
    line = append(
        root / "testing_list.txt",
        "yes/ffffffff_nohash_0.wav",
        "_background_noise_/pink_noise.wav",
        "../yes/a_nohash_0.wav",
        f"no/{SPEAKERS[2]}_nohash_0.wav",
    )
    faults = faults_of(lambda: read_corpus(root))
    assert len(faults) == 4
    assert found(faults, f"testing_list.txt:{line}", "'yes/ffffffff_nohash_0.wav' is not below")
    assert found(faults, f"testing_list.txt:{line + 1}", "names clips of words")
    assert found(faults, f"testing_list.txt:{line + 2}", "stays inside")
    assert found(faults, f"testing_list.txt:{line + 3}", "is already at validation_list.txt:2")


def test_a_recording_without_a_speaker_in_its_name(tmp_path: Path) -> None:
    root = speech_commands(tmp_path)
    write_tone(root / "yes" / "mine.wav")
    faults = faults_of(lambda: read_corpus(root))
    assert found(faults, root.name, "a clip is called SPEAKER_nohash_NUMBER.wav; got 'yes/mine.wav'")


def test_a_folder_that_is_given_as_a_dot_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = speech_commands(tmp_path)
    write_tone(root / "yes" / "mine.wav")
    monkeypatch.chdir(root)
    assert [fault.where for fault in check_tables(Path()).faults] == [root.name]


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    root = speech_commands(tmp_path)
    try:
        write_tone(root / "yes" / "a.wav").rename(root / "yes" / "\udcff_nohash_0.wav")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    assert found(faults_of(lambda: read_corpus(root)), root.name, "names of files are UTF-8")


def test_lists_that_cannot_be_read_are_both_told(tmp_path: Path) -> None:
    root = speech_commands(tmp_path)
    for name in ("validation_list.txt", "testing_list.txt"):
        (root / name).write_bytes(b"yes/a_nohash_0.wav\n\xff\n")
    wheres = {fault.where for fault in check_tables(root).faults}
    assert {"validation_list.txt:2", "testing_list.txt:2"} <= wheres


def test_an_empty_test_list_is_completed_from_validation(tmp_path: Path) -> None:
    root = speech_commands(tmp_path)
    write_lines(root / "testing_list.txt")
    append(root / "validation_list.txt", *(f"{word}/{SPEAKERS[3]}_nohash_0.wav" for word in ("yes", "no")))
    found_splits = splits(read_corpus(root))
    held_out = {path.partition("/")[2]: split for path, split in found_splits.items() if split != "train"}
    assert sorted(held_out.values()) == ["test", "validation"]
