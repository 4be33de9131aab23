"""Penalties on the weights of blocks that stand side by side in a tree.

Notation: ``o`` outputs and ``i`` inputs of a weight.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType

import torch
from torch import Tensor, nn

from taskgraft.evaluators.models.tree_model import TreeModel

Columns = Sequence[Mapping[str, Tensor]]
"""Of each weight of each block that tasks do not share, every task's own."""


def columns(model: TreeModel) -> Columns:
    """Return the weights of all blocks that not all tasks share; those of one name belong together."""
    paths = {task: _path(model, task) for task in model.tree.tasks}
    found = []
    for blocks in zip(*paths.values(), strict=True):
        weights = [dict(block.named_parameters()) for block in blocks]
        if any(block is not blocks[0] for block in blocks):
            found += [{task: own[name] for task, own in zip(paths, weights, strict=True)} for name in weights[0]]
    return found


def _path(model: TreeModel, task: str) -> list[nn.Module]:
    """Return the blocks that a task goes through, in order."""
    nodes = zip(model.tree.nodes(), model.nodes.values(), strict=True)
    return [block for node, blocks in nodes if task in node.tasks for block in blocks.children()]


def l2(weights: Columns) -> dict[str, Tensor]:
    """Return for each task the squared distance of its weights from the mean over tasks.

    >>> {task: float(one) for task, one in l2([{"a": torch.tensor(1.0), "b": torch.tensor(3.0)}]).items()}
    {'a': 1.0, 'b': 1.0}
    """
    terms: dict[str, list[Tensor]] = {}
    for column in weights:
        mean = torch.stack(list(column.values())).mean(0)
        for task, weight in column.items():
            terms.setdefault(task, []).append((weight - mean).square().sum())
    return {task: torch.stack(found).sum() for task, found in terms.items()}


def orthogonal(weights: Columns) -> dict[str, Tensor]:
    """Return for each task half of ||W_s^T W_t||_F^2 of each of its pairs; vectors of biases and scales have none."""
    terms: dict[str, list[Tensor]] = {}
    for column in weights:
        matrices = {task: weight.flatten(1) for task, weight in column.items() if weight.ndim > 1}  # [o, i]
        for (one, mine), (other, theirs) in combinations(matrices.items(), 2):
            half = _overlap(mine, theirs) / 2
            terms.setdefault(one, []).append(half)
            terms.setdefault(other, []).append(half)
    return {task: torch.stack(found).sum() for task, found in terms.items()}


def _overlap(mine: Tensor, theirs: Tensor) -> Tensor:
    """Return ||A^T B||_F^2 of [o, i] and [o, j], which is the sum of (A A^T) * (B B^T), both of them [o, o]."""
    return ((mine @ mine.T) * (theirs @ theirs.T)).sum()


PENALTIES: Mapping[str, Callable[[Columns], Mapping[str, Tensor]]] = MappingProxyType(
    {"l2": l2, "orthogonal": orthogonal}
)
