"""The losses of a step: of each task, over whichever clips have its label."""

from collections.abc import Mapping

import torch
from torch import Tensor

from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.kinds.task_data import TaskData


def task_loss(task: TaskData, scores: Tensor, targets: Tensor) -> Tensor:
    """Return a task's mean loss over what has a label; 0 if nothing has. Scores are those of its head."""
    return KINDS[task.task.kind].loss(task, scores, targets)


def task_losses(
    tasks: Mapping[str, TaskData], scores: Mapping[str, Tensor], targets: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the loss of each task that has scores."""
    return {name: task_loss(tasks[name], scores[name].float(), targets[name]) for name in scores}


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of losses."""
    return torch.stack(list(losses.values())).sum()


def joint_loss(tasks: Mapping[str, TaskData], scores: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the tasks' losses."""
    return total(task_losses(tasks, scores, targets))
