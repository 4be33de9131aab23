"""The joint loss of a step: over all tasks, whichever clips have their labels.

Notation: ``n`` clips, ``s`` time steps, ``k`` classes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.study_data import TaskData
from taskgraft.space.tasks import TaskKind


def task_loss(task: TaskData, scores: Tensor, targets: Tensor) -> Tensor:
    """Class-weighted cross-entropy, mean over what has a label; 0 where nothing has.

    ``scores`` [n, k] with ``targets`` [n] for clip tasks, both [n, s] for frames tasks.
    """
    weights = torch.from_numpy(task.class_weights).to(scores.device)
    if not bool((targets != MISSING).any()):
        return scores.sum() * 0.0
    if task.task.kind is TaskKind.CLIP:
        return functional.cross_entropy(scores, targets, weights, ignore_index=MISSING)
    weight = torch.where(targets == MISSING, 0.0, weights[targets.clamp_min(0)])
    losses = functional.binary_cross_entropy_with_logits(scores, targets.clamp_min(0).float(), weight, reduction="sum")
    return losses / weight.sum()


def joint_loss(tasks: Mapping[str, TaskData], scores: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    """The sum of the tasks' losses."""
    losses = [task_loss(tasks[name], scores[name].float(), targets[name]) for name in scores]
    return torch.stack(losses).sum()
