"""Folders that are being made: removed when their maker is gone, and never before."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from taskgraft.evaluators.unfinished import sweep_unfinished, unfinished
from tests.evaluators.datasets.corpora import needs_synthesizer

MAKING = """
import sys
from pathlib import Path
from taskgraft.evaluators.datasets.demo_speech import build_demo_speech

def wait(done, total):
    if done == 5:
        print("half", flush=True)
        sys.stdin.read()

build_demo_speech(Path(sys.argv[1]), 40, progress=wait)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@needs_synthesizer
def test_what_a_killed_maker_of_a_corpus_left_is_swept_and_what_a_living_one_makes_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKING, str(tmp_path / "demo")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as maker:
        assert maker.stdout
        assert maker.stdout.readline() == b"half\n"
        sweep_unfinished(tmp_path)
        folder, lock = names(tmp_path)
        assert lock == f"{folder}.lock"
        assert len(list((tmp_path / folder / "clips").iterdir())) >= 5
        maker.send_signal(signal.SIGKILL)
    assert names(tmp_path) == [folder, lock]
    sweep_unfinished(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_takes_its_place_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "made" / "corpus"
    with unfinished(target) as folder:
        (folder / "clip").touch()
        sweep_unfinished(target.parent)
        folder.rename(target)
    assert names(target.parent) == ["corpus"]
    assert names(target) == ["clip"]


def test_a_maker_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with unfinished(tmp_path / "corpus") as folder:
            (folder / "clip").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(tmp_path) == []


def test_only_unfinished_folders_are_swept(tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "kept").touch()
    (parent := tmp_path / "features").mkdir()
    for name in ("a" * 32, ".hidden", ".demo-speech-3.lock", f".pack-{'b' * 32}", ".pack-a1b2c3d_"):
        (parent / name).mkdir()
    (parent / f".link-{'c' * 32}").symlink_to(elsewhere)
    (parent / f".done-{'d' * 32}.lock").touch()
    sweep_unfinished(parent)
    assert names(parent) == [".demo-speech-3.lock", ".hidden", f".link-{'c' * 32}", "a" * 32]
    assert names(elsewhere) == ["kept"]
    sweep_unfinished(tmp_path / "nothing")
