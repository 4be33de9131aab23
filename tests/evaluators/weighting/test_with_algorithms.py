"""Weightings beside algorithms: trainings that go on from a saved state end as the undisturbed ones."""

import hashlib
from typing import Any

import pytest

from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.tree import BranchTree

NAMES = ("pitch", "shape", "tone")
TREE = BranchTree.flat(NAMES, 6, 8)
ALGORITHMS: list[Any] = ["hard", "cross-soft", {"name": "freeze", "order": list(NAMES)}, "soft-sharing"]


def trainer(data: StudyData, algorithm: Any, weighting: str) -> Trainer:
    tasks: list[dict[str, Any]] = [{"name": name, "dataset": "tones", "target": name} for name in NAMES]
    tasks[-1]["kind"] = "frames"
    training = {"epochs": 3, "batch_size": 8, "algorithm": algorithm, "loss_weighting": weighting}
    spec = StudySpec.parse({"ar_threshold": 0.02, "tasks": tasks, "training": training})
    return Trainer(TREE, data, spec.training.schedule_for(), 3)


def finish(training: Trainer) -> str:
    while not training.finished:
        training.advance()
    return hashlib.sha256(training.measurement("here").weights or b"").hexdigest()


@pytest.mark.parametrize("weighting", ["uncertainty", "dwa", "gradnorm", "pcgrad", "nash-mtl"])
@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=["hard", "cross-soft", "freeze", "soft-sharing"])
def test_a_training_goes_on(algorithm: Any, weighting: str, tone_data: StudyData) -> None:
    first = trainer(tone_data, algorithm, weighting)
    first.advance()
    first.advance()
    other = trainer(tone_data, algorithm, weighting)
    other.go_on_from(first.pack_state("6" * 64), "6" * 64)
    assert finish(other) == finish(first)


@pytest.mark.parametrize("weighting", ["mean", "loss-proportional", "gradnorm", "mgda", "upgrad"])
def test_steps_of_one_task_are_those_of_the_sum(weighting: str, tone_data: StudyData) -> None:
    assert finish(trainer(tone_data, "hard", weighting)) == finish(trainer(tone_data, "hard", "sum"))
