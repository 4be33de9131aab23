"""`mean-teacher`: strong, weak and unlabelled clips of an events task, and a teacher."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from taskgraft.errors import Fault
from taskgraft.evaluators.algorithms.mean_teacher import MeanTeacher
from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.kinds.events import pooled
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from taskgraft.space.tasks import TaskKind
from taskgraft.space.tree import BranchTree
from tests.evaluators.algorithms.runs import digest, finish, trainer_of

EVENTS = BranchTree.flat(["events"], 8, 8)


def test_a_batch_has_strong_weak_and_unlabelled_clips_in_proportion(chimes: StudyData) -> None:
    pools = MeanTeacher().pools(list(chimes.tasks.values()), 48)
    assert {name: pool.size for name, pool in pools.items()} == {
        "chimes, strong": 12,
        "chimes, weak": 12,
        "chimes, unlabelled": 24,
    }
    strong, weak, none = (set(pool.clips.tolist()) for pool in pools.values())
    assert weak == {12, 13, 19, 25}
    assert none == {18, 24, 30, 31}
    assert strong == set(chimes.tasks["events"].clips[Split.TRAIN].tolist()) - weak
    trainer = Trainer(EVENTS, chimes, Schedule(1, 48, algorithm=MeanTeacher()), 0)
    assert len(trainer._steps.batch(0).features) == 48


def test_without_weak_clips_strong_ones_take_their_place(chimes: StudyData) -> None:
    events = chimes.tasks["events"]
    train = np.setdiff1d(events.clips[Split.TRAIN], [12, 13, 19, 25]).astype(np.int32)
    strong = replace(events, clips={**events.clips, Split.TRAIN: train})
    assert [pool.size for pool in MeanTeacher().pools([strong], 48).values()] == [24, 24]
    assert [pool.size for pool in MeanTeacher().pools([strong], 7).values()] == [4, 3]


@pytest.mark.parametrize("tasks", [["events"], ["events", "loudness"]])
def test_without_unlabelled_clips_and_weight_it_is_plain_training(tasks: list[str], labelled_chimes: StudyData) -> None:
    data = labelled_chimes
    tree = BranchTree.flat(tasks, 6, 8) if len(tasks) > 1 else EVENTS
    found, plain, taught = (
        digest(finish(trainer_of(one, data, tree, epochs=2))) for one in (MeanTeacher(0.0), SOFT, MeanTeacher())
    )
    assert found == plain != taught


def test_the_loss_has_the_difference_from_the_teacher_on_all_clips(chimes: StudyData) -> None:
    learner = trainer_of(MeanTeacher(), chimes, EVENTS)._steps._learner
    one, other = torch.randn(2, 5, 9, 2, generator=torch.Generator().manual_seed(0))
    steps = (one.sigmoid() - other.sigmoid()).square().mean()
    clips = (pooled(one, 2) - pooled(other, 2)).square().mean()
    torch.testing.assert_close(learner.difference("events", one, other), steps + clips)


def test_it_is_for_studies_with_events() -> None:
    assert list(MeanTeacher().faults({"a": TaskKind.EVENTS, "b": TaskKind.CLIP})) == []
    (fault,) = MeanTeacher().faults({"b": TaskKind.CLIP})
    assert fault == Fault("", "mean-teacher is for studies with a task of kind events, and this one has none: use soft")
