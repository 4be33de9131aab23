"""GradNorm's gradients: the norm of each loss's gradient at the last block that its tasks share.

Notation: ``k`` losses of a step.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.weighting.gradnorm import Balance
from taskgraft.evaluators.weighting.protocol import Setting, State
from taskgraft.evaluators.weighting.scalar import backward_weighed
from taskgraft.evaluators.weighting.weights import trainable


class NormWeighting:
    """Every loss counts by a weight that is learned from the norms of gradients."""

    def __init__(self, setting: Setting, alpha: float, learning_rate: float) -> None:
        self._places = {name: place for place, name in enumerate(setting.names)}
        self._scaler = setting.scaler
        self._shared = dict(shared_blocks(setting.model))
        groups = [[self._places[name] for name in tasks] for tasks in self._shared]
        self._balance = Balance(len(setting.tasks), groups, alpha, learning_rate)

    def backward(self, losses: Mapping[str, Tensor]) -> None:
        """Fill the gradients of the weighed sum."""
        stacked = torch.stack([*losses.values()])  # [k]
        places = np.array([self._places[name] for name in losses])
        norms = np.array([self._norm(name, loss) for name, loss in losses.items()])
        weights = self._balance.weigh(places, stacked.detach().double().numpy(force=True), norms)
        backward_weighed(stacked, weights, self._scaler)

    def _norm(self, name: str, loss: Tensor) -> float:
        """Return the norm of a loss's gradient at the last block that its task shares; NaN if there is none."""
        block = next((block for tasks, block in self._shared.items() if name in tasks), None)
        weights = trainable(block) if block else ()
        if not weights:
            return np.nan
        slopes = torch.autograd.grad(self._scaler.scale(loss), weights, retain_graph=True, allow_unused=True)
        squares = [slope.double().square().sum() for slope in slopes if slope is not None]
        return float(torch.stack(squares).sum().sqrt()) / self._scaler.get_scale() if squares else np.nan

    @property
    def state(self) -> State:
        """That of the weights."""
        return self._balance.state

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._balance.restore(state)


def shared_blocks(model: TreeModel) -> Iterator[tuple[tuple[str, ...], nn.Module]]:
    """Yield the last block with weights that all tasks of a tree share, with these tasks.

    If they share none, the tree falls into parts, and there is one for each part of two tasks or more.
    """
    nodes = list(model.tree.nodes())
    pending = [nodes[0]]
    while pending:
        node = pending.pop(0)
        blocks: Sequence[nn.Module] = [*model.nodes[str(nodes.index(node))].children()]
        if len(node.tasks) > 1:
            if found := next((block for block in reversed(blocks) if [*block.parameters()]), None):
                yield node.tasks, found
            else:
                pending.extend(node.children)
