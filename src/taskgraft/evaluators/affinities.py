"""Affinities of tasks that are trained together: do they pull the blocks that they share the same way?

Source: the cosine between the gradients of two losses is the measure of Yu et al., Gradient surgery for multi-task
learning, 2020. docs/search.md has how well it foretells what pairs lose.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, islice

import numpy as np
import torch
from torch import Tensor

from taskgraft.evaluators.batches import Batch, TrainBatches
from taskgraft.evaluators.losses import task_loss
from taskgraft.evaluators.measurement import mean_affinities
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.matrix import Pair

_BATCHES = 4


class AffinityMeter:
    """Collects affinities over one training: call `look` now and then, it leaves the model's weights as they are.

    It always looks at the same few batches of training clips, drawn by ``seed``.
    """

    def __init__(self, data: StudyData, tasks: tuple[str, ...], batch_size: int, seed: int) -> None:
        self._data = data
        drawn = TrainBatches(data, [data.tasks[name] for name in tasks], batch_size, np.random.default_rng(seed))
        self._batches = list(islice(drawn, _BATCHES))
        self._seen: dict[Pair, list[float]] = {pair: [] for pair in combinations(tasks, 2)}

    def look(self, model: TreeModel) -> None:
        """Measure once. The model is in evaluation mode afterwards."""
        for batch in self._batches:
            with torch.backends.cudnn.flags(enabled=False):  # it differentiates recurrent layers in training mode only
                slopes = gradients(model, self._data, batch)
            for (first, second), cosines in self._seen.items():
                cosines.append(float(torch.cosine_similarity(slopes[first], slopes[second], dim=0)))

    def go_on_with(self, cosines: Mapping[Pair, Sequence[float]]) -> None:
        """Take over what another meter of the same training has seen."""
        self._seen = {pair: list(cosines[pair]) for pair in self._seen}

    @property
    def cosines(self) -> Mapping[Pair, Sequence[float]]:
        """What was seen of every pair: of each look, one cosine for each batch."""
        return {pair: tuple(cosines) for pair, cosines in self._seen.items()}

    @property
    def means(self) -> Mapping[Pair, float]:
        """Mean over batches and looks, of every pair, -1..1; at least one look was taken."""
        return mean_affinities(self._seen)


def gradients(model: TreeModel, data: StudyData, batch: Batch) -> dict[str, Tensor]:
    """Return each task's gradient [weights] by the blocks that all tasks share; running statistics do not change."""
    model.eval()
    shared = list(model.nodes["0"].parameters())
    device = shared[0].device
    batch = batch.on(device)
    features = data.input_module(device)(batch.features).contiguous(memory_format=torch.channels_last)
    found = {}
    for name, scores in model(features, batch.rows).items():
        loss = task_loss(data.tasks[name], scores, batch.targets[name])
        slopes = torch.autograd.grad(loss, shared, retain_graph=True)
        found[name] = torch.cat([slope.flatten() for slope in slopes])
    return found
