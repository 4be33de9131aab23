"""What a model says about a split, clip by clip."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taskgraft.evaluators.batches import Batch, evaluation_batches
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.kinds.protocol import Said
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.losses import task_loss
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.outcomes import Outcomes
from taskgraft.evaluators.study_data import StudyData

Answer = Callable[[Batch], Mapping[str, Tensor]]
"""Gives scores for a batch: those of each of its tasks, for its rows."""


def evaluate(model: TreeModel, data: StudyData, split: Split) -> dict[str, Outcomes]:
    """Return the outcomes of every task of the model on the labelled clips of one split.

    Clips that are longer than a crop are read in windows.
    """
    return evaluate_answers(_answer(model, data), model.tree.tasks, data, split)


def evaluate_answers(answer: Answer, tasks: Sequence[str], data: StudyData, split: Split) -> dict[str, Outcomes]:
    """Return what `evaluate` does for ``tasks``, of whatever gives scores for a batch."""
    return {task: _outcomes(data, task, parts) for task, parts in _ask(answer, tasks, data, split).items()}


def evaluate_with_loss(model: TreeModel, data: StudyData, split: Split) -> tuple[dict[str, Outcomes], float]:
    """Return what `evaluate` does, and the sum of the tasks' losses, each a mean over windows or their time steps."""
    asked = _ask(_answer(model, data), model.tree.tasks, data, split)
    outcomes = {task: _outcomes(data, task, parts) for task, parts in asked.items()}
    return outcomes, float(sum(_loss(data.tasks[task], parts) for task, parts in asked.items()))


def _answer(model: TreeModel, data: StudyData) -> Answer:
    model.eval()
    device = next(model.parameters()).device
    prepared = data.input_module(device)

    def answer(batch: Batch) -> Mapping[str, Tensor]:
        there = batch.on(device)
        scores: Mapping[str, Tensor] = model(_channels_last(prepared(there.features)), there.rows)
        return scores

    return answer


def _ask(answer: Answer, names: Sequence[str], data: StudyData, split: Split) -> "dict[str, list[_Part]]":
    tasks = [data.tasks[name] for name in names]
    parts: dict[str, list[_Part]] = {name: [] for name in names}
    with torch.inference_mode():
        for batch, clips, fresh in evaluation_batches(data, tasks, split):
            for name, score in answer(batch).items():
                parts[name].append((clips, score.float().cpu(), batch.targets[name], fresh))
    return parts


def _loss(task: TaskData, parts: "Sequence[_Part]") -> float:
    """Return the loss of a task; a time step that several windows have counts once."""
    scores = torch.cat([part[1] for part in parts])
    targets = torch.cat([part[2] for part in parts])
    if task.task.kind.form.answer.needs_time:
        fresh = torch.cat([part[3] for part in parts])  # [w, s]
        targets[:, : fresh.shape[1]][~fresh] = MISSING
    return float(task_loss(task, scores, targets))


_Part = tuple[NDArray[np.int32], Tensor, Tensor, Tensor]


def _channels_last(features: Tensor) -> Tensor:
    return features.contiguous(memory_format=torch.channels_last)


def _outcomes(data: StudyData, name: str, parts: "Sequence[_Part]") -> Outcomes:
    seconds, task = data.template.time_stride / data.template.front_end.frames_per_second, data.tasks[name]
    return KINDS[task.task.kind].outcomes(task, _said(parts, seconds))


def _said(parts: Sequence[_Part], step_seconds: float) -> Said:
    windows, scores, targets, fresh = zip(*parts, strict=True)
    labels = torch.cat(targets).numpy()
    return Said(np.concatenate(windows), torch.cat(scores), labels, torch.cat(fresh).numpy(), step_seconds)
