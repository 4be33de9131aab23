from pathlib import Path

import pytest

from taskgraft.errors import Unavailable
from taskgraft.search.running.artifacts import Checkpoints, artifacts_dir, remove_study_files
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree

PAIR = Training(BranchTree.flat("ab", 5, 8))


def test_weights_come_back_by_their_training(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "study")
    trainings = [PAIR, Training(PAIR.tree, 1), Training(BranchTree.flat("ab", 6, 8))]
    for training in trainings:
        checkpoints.save(training, training.key.encode())
    assert [Checkpoints(tmp_path, "study").load(training) for training in trainings] == [
        training.key.encode() for training in trainings
    ]
    checkpoints.save(PAIR, b"again")
    assert checkpoints.load(PAIR) == b"again"
    assert not list(tmp_path.rglob("*.partial"))


def test_weights_that_are_gone_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"checkpoint .*\.safetensors can't be read: No such file"):
        Checkpoints(tmp_path, "study").load(PAIR)


def test_a_folder_that_takes_no_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "studies").write_text("a file in the way")
    with pytest.raises(Unavailable, match=r"a checkpoint can't be written to .*checkpoints: Not a directory"):
        Checkpoints(tmp_path, "study").save(PAIR, b"weights")


def test_files_of_one_study_are_removed_and_no_others(tmp_path: Path) -> None:
    for study in ("one", "two"):
        Checkpoints(tmp_path, study).save(PAIR, b"weights")
        artifacts_dir(tmp_path, study).mkdir()
    remove_study_files(tmp_path, "one")
    remove_study_files(tmp_path, "one")
    assert [path.name for path in (tmp_path / "studies").iterdir()] == ["two"]
    assert Checkpoints(tmp_path, "two").load(PAIR) == b"weights"
