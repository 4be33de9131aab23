"""What a model says about a split, clip by clip.

Notation: ``n`` clips, ``s`` time steps, ``k`` classes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taskgraft.evaluators.batches import evaluation_batches
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.losses import task_loss
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData, TaskData
from taskgraft.space.tasks import TaskKind


def evaluate(model: TreeModel, data: StudyData, split: Split) -> dict[str, Outcomes]:
    """Outcomes of every task of the model on the labelled clips of one split; longer clips are read in windows.

    A clip's class is the one that its windows find likeliest together.
    """
    return {task: _outcomes(data.tasks[task], parts) for task, parts in _ask(model, data, split).items()}


def evaluate_with_loss(model: TreeModel, data: StudyData, split: Split) -> tuple[dict[str, Outcomes], float]:
    """Return what `evaluate` does, and the sum of the tasks' losses, each a mean over windows or their time steps."""
    asked = _ask(model, data, split)
    outcomes = {task: _outcomes(data.tasks[task], parts) for task, parts in asked.items()}
    return outcomes, float(sum(_loss(data.tasks[task], parts) for task, parts in asked.items()))


def _ask(model: TreeModel, data: StudyData, split: Split) -> "dict[str, list[_Part]]":
    tasks = [data.tasks[name] for name in model.tree.tasks]
    parts: dict[str, list[_Part]] = {task.task.name: [] for task in tasks}
    model.eval()
    device = next(model.parameters()).device
    prepared = data.input_module(device)
    with torch.inference_mode():
        for batch, clips, fresh in evaluation_batches(data, tasks, split):
            there = batch.on(device)
            scores = model(_channels_last(prepared(there.features)), there.rows)
            for name, score in scores.items():
                parts[name].append((clips, score.float().cpu(), batch.targets[name], fresh))
    return parts


def _loss(task: TaskData, parts: "Sequence[_Part]") -> float:
    """Return the loss of a task; a time step that several windows have counts once."""
    scores = torch.cat([part[1] for part in parts])
    targets = torch.cat([part[2] for part in parts])
    if task.task.kind is TaskKind.FRAMES:
        targets = targets.where(torch.cat([part[3] for part in parts]), MISSING)
    return float(task_loss(task, scores, targets))


_Part = tuple[NDArray[np.int32], Tensor, Tensor, Tensor]


def _channels_last(features: Tensor) -> Tensor:
    return features.contiguous(memory_format=torch.channels_last)


def _outcomes(task: TaskData, parts: Sequence[_Part]) -> Outcomes:
    clips = np.concatenate([part[0] for part in parts])
    scores = torch.cat([part[1] for part in parts])
    targets = torch.cat([part[2] for part in parts])
    if task.task.kind is TaskKind.CLIP:
        return _clip_outcomes(clips, scores, targets)
    fresh = torch.cat([part[3] for part in parts])
    return _frame_outcomes(clips, scores, targets, fresh)


def _clip_outcomes(windows: NDArray[np.int32], scores: Tensor, targets: Tensor) -> Outcomes:
    labelled = targets.numpy() != MISSING
    clips, first, place = np.unique(windows[labelled], return_index=True, return_inverse=True)
    likelihood = np.zeros((len(clips), scores.shape[1]))
    np.add.at(likelihood, place, torch.log_softmax(scores, 1).numpy()[labelled])
    truth = targets.numpy()[labelled][first].astype(np.int32)
    return Outcomes(clips, truth, likelihood.argmax(1).astype(np.int32), np.ones(len(clips), np.int32))


def _frame_outcomes(windows: NDArray[np.int32], scores: Tensor, targets: Tensor, fresh: Tensor) -> Outcomes:
    counted = ((targets != MISSING) & fresh).numpy()
    rows = np.broadcast_to(windows[:, None], counted.shape)[counted].astype(np.int64)
    kinds = 2 * targets.numpy()[counted] + (scores > 0).numpy()[counted]
    keys, counts = np.unique(4 * rows + kinds, return_counts=True)
    truth, predicted = (keys % 4) // 2, keys % 2
    return Outcomes(*(part.astype(np.int32) for part in (keys // 4, truth, predicted, counts)))
