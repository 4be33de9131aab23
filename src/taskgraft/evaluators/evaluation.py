"""What a model says about a split, clip by clip."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taskgraft.evaluators.batches import evaluation_batches
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.kinds.protocol import Said
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData


def evaluate(model: TreeModel, data: StudyData, split: Split) -> dict[str, Outcomes]:
    """Return the outcomes of every task of the model on the labelled clips of one split.

    Clips that are longer than a crop are read in windows.
    """
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
    seconds = data.template.time_stride / data.template.front_end.frames_per_second
    return {
        task.task.name: KINDS[task.task.kind].outcomes(task, _said(parts[task.task.name], seconds)) for task in tasks
    }


_Part = tuple[NDArray[np.int32], Tensor, Tensor, Tensor]


def _channels_last(features: Tensor) -> Tensor:
    return features.contiguous(memory_format=torch.channels_last)


def _said(parts: Sequence[_Part], step_seconds: float) -> Said:
    windows, scores, targets, fresh = zip(*parts, strict=True)
    labels = torch.cat(targets).numpy()
    return Said(np.concatenate(windows), torch.cat(scores), labels, torch.cat(fresh).numpy(), step_seconds)
