"""Models that start from the weights of others: those of flat models, which share every block among their tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from safetensors.torch import load as load_tensors

from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.trunk import Trunk


@dataclass(frozen=True)
class FlatModel:
    """The weights of a model that shares every block among its tasks; a baseline is one of a single task."""

    tasks: Sequence[str]
    weights: Mapping[str, torch.Tensor]

    @classmethod
    def unpacked(cls, tasks: Sequence[str], weights: bytes) -> "FlatModel":
        """Return the model of some tasks whose weights were packed."""
        return cls(tasks, load_tensors(weights))

    def head(self, task: str, *name: str) -> torch.Tensor:
        """Return a weight of a task's head."""
        return self.weights[".".join(["heads", str(self.tasks.index(task)), *name])]

    def gate(self, *name: str) -> torch.Tensor:
        """Return a weight of the gate that all tasks share."""
        return self.weights[".".join(["gates", "0", *name])]

    def block(self, place: int, *name: str) -> torch.Tensor:
        """Return a weight of a block, counted from the model's first."""
        return self.weights[".".join(["nodes", "0", str(place), *name])]


def graft(model: TreeModel, source: Callable[[Sequence[str]], FlatModel]) -> None:
    """Put the weights of flat models into a tree: each node takes those of the ``source`` for its tasks.

    Raises:
        ValueError: a source has no head for a task.
        RuntimeError: blocks or heads have other shapes.
    """
    state, nodes = model.state_dict(), list(model.tree.nodes())
    for name in state:
        kind, place, *rest = name.split(".")
        if kind == "heads":
            task = model.tree.tasks[int(place)]
            state[name] = source([task]).head(task, *rest)
        elif kind == "gates":
            state[name] = source(nodes[int(place)].tasks).gate(*rest)
        else:
            node, (block, *inner) = nodes[int(place)], rest
            state[name] = source(node.tasks).block(int(block) + node.blocks[0], *inner)
    model.load_state_dict(state)


def graft_trunk(model: TreeModel, trunk: Trunk) -> None:
    """Put the weights of a trunk into a model of some of its tasks: each node takes its blocks, each head its own.

    Raises:
        ValueError: the model has a task that the trunk has not.
        RuntimeError: the trunk's blocks or heads have other shapes.
    """
    flat = FlatModel.unpacked(trunk.tasks, trunk.weights)
    graft(model, lambda _: flat)
