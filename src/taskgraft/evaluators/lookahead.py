"""Lookahead affinities of tasks that are trained together: what does a step for one task do to the loss of another?

Source: Fifty et al., Efficiently identifying task groupings for multi-task learning, NeurIPS 2021, eq. 1. The cosine of
gradients (`taskgraft.evaluators.affinities`) is another measure: it is symmetric, and no step is taken for it.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice, permutations

import numpy as np
import torch
from torch import Tensor

from taskgraft.evaluators.batches import Batch, TrainBatches
from taskgraft.evaluators.losses import task_loss
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.matrix import Pair

_BATCHES = 4
_LARGEST = 1e6
"""Times the loss before: what is larger, or no number, counts as this."""


class LookaheadMeter:
    """Collects lookahead affinities over one training: call `look` now and then, it leaves the model's weights alone.

    It always looks at the same few batches of training clips, drawn by ``seed``. A step is one of plain gradient
    descent, ``step`` long, by the blocks that all tasks share.
    """

    def __init__(self, data: StudyData, tasks: tuple[str, ...], batch_size: int, seed: int, step: float) -> None:
        self._data = data
        drawn = TrainBatches(data, [data.tasks[name] for name in tasks], batch_size, np.random.default_rng(seed))
        self._batches = list(islice(drawn, _BATCHES))
        self._step = step
        self._seen: dict[Pair, list[float]] = {pair: [] for pair in permutations(tasks, 2)}

    def look(self, model: TreeModel) -> None:
        """Measure once. The model is in evaluation mode afterwards."""
        model.eval()
        shared = list(model.nodes["0"].parameters())
        for batch in self._batches:
            losses = _losses_on(model, self._data, batch.on(shared[0].device))
            with torch.backends.cudnn.flags(enabled=False):  # it differentiates recurrent layers in training mode only
                found = lookahead_affinities(losses, shared, self._step)
            for pair, affinity in found.items():
                self._seen[pair].append(affinity)

    @property
    def means(self) -> Mapping[Pair, float]:
        """Z(i -> j) under (i, j), mean over batches and looks; at least one look was taken."""
        return {pair: float(np.mean(seen)) for pair, seen in self._seen.items()}


def lookahead_affinities(
    losses: Callable[[], Mapping[str, Tensor]], shared: Sequence[Tensor], step: float
) -> dict[Pair, float]:
    """Return ``Z(i -> j) = 1 - L_j(shared - step * dL_i / dshared) / L_j(shared)`` under (i, j), for all i and j != i.

    ``losses`` returns the loss of every task at the present weights. The weights are what they were afterwards, bit for
    bit. A task whose loss is 0 has nothing to lose: its affinities are 0.
    """
    before = losses()
    slopes = {task: torch.autograd.grad(loss, shared, retain_graph=True) for task, loss in before.items()}
    kept = [weight.detach().clone() for weight in shared]
    found = {}
    for task, slope in slopes.items():
        with torch.no_grad():
            for weight, by in zip(shared, slope, strict=True):
                weight.sub_(by, alpha=step)
            after = losses()
            for weight, value in zip(shared, kept, strict=True):
                weight.copy_(value)
        for other, loss in after.items():
            if other != task:
                found[task, other] = _affinity(float(before[other].detach()), float(loss))
    return found


def _affinity(before: float, after: float) -> float:
    """Return how much less of a loss is left; a step that goes astray counts as a loss that is very large."""
    if not before:
        return 0.0
    share = after / before
    return 1 - (min(_LARGEST, share))


def _losses_on(model: TreeModel, data: StudyData, batch: Batch) -> Callable[[], dict[str, Tensor]]:
    features = data.input_module(batch.features.device)(batch.features).contiguous(memory_format=torch.channels_last)

    def losses() -> dict[str, Tensor]:
        scores = model(features, batch.rows)
        return {name: task_loss(data.tasks[name], score, batch.targets[name]) for name, score in scores.items()}

    return losses
