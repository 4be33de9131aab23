import math

import numpy as np
import pytest
import torch

from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.kinds.clip import ClipLabels
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.losses import joint_loss, task_loss
from taskgraft.space.tasks import Task, TaskKind


def task(weights: list[float], kind: TaskKind = TaskKind.CLIP) -> TaskData:
    classes = np.array(weights, np.float32)
    labels = tuple(map(str, range(len(weights))))
    nothing = ClipLabels(np.zeros(0, np.int16))
    return TaskData(Task("task", kind, len(weights)), "corpus", "accuracy", labels, nothing, {}, classes)


def test_clip_loss_is_the_weighted_mean_over_labelled_clips() -> None:
    random = np.random.default_rng(0)
    scores, targets, weights = random.normal(size=(6, 3)), [0, MISSING, 2, 1, MISSING, 0], [1.0, 4.0, 0.5]
    losses = [math.log(sum(math.exp(s) for s in row)) - row[t] for row, t in zip(scores, targets, strict=True)]
    labelled = [i for i, target in enumerate(targets) if target != MISSING]
    expected = sum(weights[targets[i]] * losses[i] for i in labelled) / sum(weights[targets[i]] for i in labelled)
    loss = task_loss(task(weights), torch.tensor(scores, dtype=torch.float32), torch.tensor(targets))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_frames_loss_is_the_weighted_mean_over_labelled_steps() -> None:
    random = np.random.default_rng(1)
    scores, weights = random.normal(size=(4, 5)), [0.6, 2.0]
    targets = random.choice([MISSING, 0, 1], size=(4, 5))
    total = weight = 0.0
    for score, target in zip(scores.flat, targets.flat, strict=True):
        if target != MISSING:
            probability = 1 / (1 + math.exp(-score))
            total -= weights[target] * math.log(probability if target else 1 - probability)
            weight += weights[target]
    given = torch.tensor(scores, dtype=torch.float32).unsqueeze(-1)
    loss = task_loss(task(weights, TaskKind.FRAMES), given, torch.from_numpy(targets))
    assert loss.item() == pytest.approx(total / weight, rel=1e-5)


@pytest.mark.parametrize(("kind", "shape"), [(TaskKind.CLIP, (3,)), (TaskKind.FRAMES, (3, 2))])
def test_without_labels_there_is_nothing_to_learn(kind: TaskKind, shape: tuple[int, ...]) -> None:
    scores = torch.randn(3, 2, requires_grad=True)
    loss = task_loss(task([1.0, 1.0], kind), scores, torch.full(shape, MISSING))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert scores.grad is not None
    assert not scores.grad.any()


def test_scores_without_a_label_get_no_gradient() -> None:
    scores = torch.randn(3, 2, requires_grad=True)
    task_loss(task([1.0, 1.0]), scores, torch.tensor([0, MISSING, 1])).backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert scores.grad.any(dim=1).tolist() == [True, False, True]


def test_joint_loss_is_the_sum_over_the_asked_tasks() -> None:
    tasks = {"a": task([1.0, 1.0]), "b": task([1.0, 2.0, 3.0]), "c": task([1.0, 1.0])}
    scores = {"a": torch.randn(4, 2), "b": torch.randn(2, 3)}
    targets = {"a": torch.tensor([0, 1, 1, 0]), "b": torch.tensor([2, MISSING])}
    parts = sum(task_loss(tasks[name], scores[name], targets[name]).item() for name in scores)
    assert joint_loss(tasks, scores, targets).item() == pytest.approx(parts)
