"""Running statistics of batch normalisation that are kept for each task.

Notation: ``c`` channels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from taskgraft.evaluators.models.tree_model import TreeModel


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean [c] and variance [c]."""

    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, norm: _BatchNorm) -> "Moments":
        """Return a copy of what a layer has."""
        assert norm.running_mean is not None
        assert norm.running_var is not None
        return cls(norm.running_mean.clone(), norm.running_var.clone())

    @classmethod
    def merged(cls, parts: "Sequence[Moments]") -> "Moments":
        """Return those of data whose equally large parts have these."""
        means = torch.stack([part.mean for part in parts])  # [tasks, c]
        mean = means.mean(0)
        squares = torch.stack([part.variance for part in parts]) + means.square()
        return cls(mean, (squares.mean(0) - mean.square()).clamp_min(0))

    def give(self, norm: _BatchNorm) -> None:
        """Make these a layer's own: what it then learns of them is learned here."""
        norm.running_mean, norm.running_var = self.mean, self.variance


class TaskStatistics:
    """The running statistics of all layers that see the data of several tasks, for each of these tasks.

    Those are the layers of shared blocks; with ``everywhere``, all layers.
    """

    def __init__(self, model: TreeModel, *, everywhere: bool = False) -> None:
        self._kept = [
            (norm, {task: Moments.of(norm) for task in tasks})
            for norm, tasks in _norms(model, everywhere)
            if len(tasks) > 1
        ]

    def enter(self, task: str) -> None:
        """Let the next steps change the statistics of one task."""
        for norm, kept in self._kept:
            if task in kept:
                kept[task].give(norm)

    def merge(self) -> None:
        """Give the model the statistics of all tasks taken together."""
        for norm, kept in self._kept:
            Moments.merged(list(kept.values())).give(norm)

    def tensors(self) -> dict[str, Tensor]:
        """Return all statistics by name."""
        return dict(self._named())

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` returned."""
        for name, tensor in self._named():
            tensor.copy_(tensors[name])

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        for layer, (_, kept) in enumerate(self._kept):
            for place, moments in enumerate(kept.values()):
                yield f"statistics.{layer}.{place}.mean", moments.mean
                yield f"statistics.{layer}.{place}.variance", moments.variance


def _norms(model: TreeModel, everywhere: bool) -> Iterator[tuple[_BatchNorm, Sequence[str]]]:
    """Yield the layers that have running statistics, each with the tasks whose data it sees."""
    of_nodes = zip(model.nodes.values(), (node.tasks for node in model.tree.nodes()), strict=True)
    of_heads = zip(model.heads, ((task,) for task in model.tree.tasks), strict=True)
    parts: list[tuple[nn.Module, Sequence[str]]] = [*of_nodes, *of_heads]
    for part, tasks in parts:
        for module in part.modules():
            if isinstance(module, _BatchNorm) and module.running_mean is not None:
                yield module, model.tree.tasks if everywhere else tasks
