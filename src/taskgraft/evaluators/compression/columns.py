"""Columns: a tree that shares no block, whose columns hold the same kernels, each with a mask of its own.

Kernels have the names that a model of one task gives them: ``nodes.0.<block>...``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from taskgraft.evaluators.compression.kernel_masks import are_equal, kernels, trimmed
from taskgraft.evaluators.compression.masks import Mask
from taskgraft.evaluators.grafting import FlatModel, graft
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.space.tree import BranchTree, Node


@dataclass(frozen=True, slots=True)
class Column:
    """The blocks of one or more tasks; ``place`` is that of their node in the tree."""

    tasks: tuple[str, ...]
    place: int

    def names(self, kernels: Iterable[str]) -> dict[str, str]:
        """Return the name in the model of each kernel of a model of one task."""
        return {name: f"nodes.{self.place}.{name.split('.', 2)[2]}" for name in kernels}


def columns_of(tree: BranchTree) -> list[Column]:
    """Return the columns of a tree: its root, or the children of a root without blocks.

    Raises:
        ValueError: tasks of a column branch before their last block.
    """
    nodes = list(tree.nodes())
    roots = [tree.root] if tree.root.length else tree.root.children
    if any(root.blocks != (0, tree.depth) for root in roots):
        raise ValueError("a column has all blocks")
    return [Column(root.tasks, nodes.index(root)) for root in roots]


def column_tree(tasks: Sequence[str], masks: Sequence[Mask], depth: int) -> BranchTree:
    """Return the tree of tasks in which those whose masks are equal are one column, and others share nothing."""
    groups: list[list[int]] = []
    for place, mask in enumerate(masks):
        alike = next((group for group in groups if are_equal(masks[group[0]], mask)), None)
        if alike is None:
            groups.append([place])
        else:
            alike.append(place)
    roots = [BranchTree.flat([tasks[place] for place in group], depth, depth).root for group in groups]
    return BranchTree(roots[0] if len(roots) == 1 else Node(tuple(tasks), (0, 0), tuple(roots)), depth)


def column_masks(weights: Sequence[Mapping[str, Tensor]], keep: int) -> list[dict[str, Tensor]]:
    """Return what each task keeps: what is not 0 in its own trained model, and at most ``keep`` for all together."""
    own = [kernels(one) for one in weights]
    masks = [{name: kernel != 0 for name, kernel in one.items()} for one in own]
    scores = {name: torch.stack([one[name].abs() for one in own]).amax(0) for name in own[0]}
    return trimmed(masks, scores, keep)


def rewind(model: TreeModel, fresh: Callable[[Sequence[str]], TreeModel]) -> None:
    """Give every column the weights of a new model of its tasks."""
    known = {column.tasks: fresh(column.tasks).state_dict() for column in columns_of(model.tree)}

    def source(tasks: Sequence[str]) -> FlatModel:
        column = next(one for one in known if set(tasks) <= set(one))
        return FlatModel(column, known[column])

    graft(model, source)
