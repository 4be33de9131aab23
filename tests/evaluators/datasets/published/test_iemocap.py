from pathlib import Path

import pytest

from taskgraft.evaluators.datasets.check import check_tables
from taskgraft.evaluators.datasets.manifest import read_corpus

from ..corpora import faults_of, found
from .copies import TURNS, append, column, groups, iemocap, splits, turn_line

LIST = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"


def turn(place: int, session: int = 1) -> str:
    dialogue = f"Ses0{session}F_impro01"
    return f"Session{session}/sentences/wav/{dialogue}/{dialogue}_{'FM'[place % 2]}{place:03}.wav"


def test_emotions_of_four_classes(tmp_path: Path) -> None:
    corpus = read_corpus(iemocap(tmp_path))
    assert set(corpus.labels) == {"emotion", "speaker", "gender"}
    emotions = column(corpus, "emotion")
    assert [emotions[turn(place)] for place in range(len(TURNS))] == ["angry", "happy", "happy", "sad", "neutral", ""]


def test_the_speaker_is_who_has_the_turn_not_whose_dialogue_it_is(tmp_path: Path) -> None:
    corpus = read_corpus(iemocap(tmp_path))
    assert (column(corpus, "speaker")[turn(0)], column(corpus, "gender")[turn(0)]) == ("Ses01F", "female")
    assert (column(corpus, "speaker")[turn(1)], column(corpus, "gender")[turn(1)]) == ("Ses01M", "male")
    assert groups(corpus) == column(corpus, "speaker")
    assert check_tables(tmp_path).groups == 10


def test_whole_sessions_are_splits(tmp_path: Path) -> None:
    corpus = read_corpus(iemocap(tmp_path))
    by_split: dict[str, set[str]] = {}
    for path, split in splits(corpus).items():
        by_split.setdefault(split, set()).add(path.partition("/")[0])
    assert {split: len(sessions) for split, sessions in by_split.items()} == {"train": 3, "validation": 1, "test": 1}


def test_turns_of_scripts(tmp_path: Path) -> None:
    root = iemocap(tmp_path)
    source = root / "Session1/sentences/wav/Ses01F_impro01"
    (source.parent / "Ses01M_script01_1b").mkdir()
    (source / "Ses01F_impro01_F000.wav").rename(source.parent / "Ses01M_script01_1b/Ses01M_script01_1b_FXX0.wav")
    (root / LIST).unlink()
    evaluation = root / "Session1/dialog/EmoEvaluation/Ses01M_script01_1b.txt"
    evaluation.write_text(turn_line("Ses01M_script01_1b_FXX0", "fru") + "\n")
    corpus = read_corpus(root)
    path = "Session1/sentences/wav/Ses01M_script01_1b/Ses01M_script01_1b_FXX0.wav"
    assert (column(corpus, "speaker")[path], column(corpus, "emotion")[path]) == ("Ses01F", "")


def test_a_listed_recording_that_is_not_there(tmp_path: Path) -> None:
    root = iemocap(tmp_path)
    line = append(root / LIST, turn_line("Ses01F_impro01_F099", "neu"))
    faults = faults_of(lambda: read_corpus(root))
    assert found(faults, f"{LIST}:{line}", "Ses01F_impro01_F099.wav' is not below")


@pytest.mark.parametrize(
    "line",
    [
        turn_line("Ses01F_impro01_F000", "joy"),
        turn_line("Ses01F_impro01_X000", "neu"),
        turn_line("../Ses01F_impro01_F000", "neu"),
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu",
        "[6.2901 - ]\tSes01F_impro01_F000\tneu\t[2.5, 2.5, 2.5]",
        "[6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5, 2.5, 2.5]",
    ],
)
def test_broken_lines(tmp_path: Path, line: str) -> None:
    root = iemocap(tmp_path)
    number = append(root / LIST, "", line)
    (fault,) = faults_of(lambda: read_corpus(root))
    assert fault.where == f"{LIST}:{number + 1}"
    assert fault.message.startswith("a turn is written [START - END] <tab> TURN <tab> EMOTION <tab> [V, A, D]")


def test_two_sessions_are_too_few(tmp_path: Path) -> None:
    root = iemocap(tmp_path)
    for session in (3, 4, 5):
        (root / f"Session{session}/dialog/EmoEvaluation/Ses0{session}F_impro01.txt").unlink()
    assert found(check_tables(root).faults, root.name, "three splits need at least 3 groups; got 2")
