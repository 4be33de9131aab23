"""What trees cost: parameters of their blocks, and what a training of them takes."""

from functools import lru_cache

import numpy as np

from taskgraft.search.study.spec import StudySpec
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree, Node

TASK_EFFORT = 0.1
"""Share of a baseline's step that is the task's own whatever it shares: its batch, its head; measured with cnn8."""


class Effort:
    """What nodes cost: parameters of their blocks, and seconds of training in units of one baseline."""

    def __init__(self, template: Template) -> None:
        self._parameters = np.concatenate([[0], np.cumsum(template.block_parameters)])
        self._units = np.concatenate([[0], np.cumsum(block_efforts(template))])

    def parameters(self, node: Node) -> int:
        """Return the parameters of all blocks of a node and of those below it."""
        return int(sum(self._parameters[part.blocks[1]] - self._parameters[part.blocks[0]] for part in node.walk()))

    def between(self, start: int, stop: int) -> int:
        """Return the parameters of the blocks from ``start`` to ``stop``."""
        return int(self._parameters[stop] - self._parameters[start])

    def saved(self, node: Node) -> int:
        """Return how many parameters fewer a node has than independent models of its tasks."""
        return len(node.tasks) * int(self._parameters[-1]) - self.parameters(node)

    def units(self, node: Node) -> float:
        """Return what a training of the node takes."""
        return TASK_EFFORT * len(node.tasks) + sum(self.block_units(*part.blocks) for part in node.walk())

    def block_units(self, start: int, stop: int) -> float:
        """Return what the blocks from ``start`` to ``stop`` take of a training with the clips of one dataset."""
        return float(self._units[stop] - self._units[start])


def training_units(tree: BranchTree, spec: StudySpec) -> float:
    """Return what a training of a tree takes, in units of one baseline: a step has clips of each of its datasets."""
    dataset, effort = {task.name: task.dataset for task in spec.tasks}, _effort(spec.encoder)
    blocks = sum(
        effort.block_units(*part.blocks) * len({dataset[task] for task in part.tasks}) for part in tree.root.walk()
    )
    return TASK_EFFORT * len(tree.tasks) + blocks


@lru_cache(maxsize=32)
def _effort(template: Template) -> Effort:
    return Effort(template)


def block_efforts(template: Template) -> list[float]:
    """Return what the blocks of a baseline take of a training, by their MACs."""
    shapes = template.shapes(template.frames)
    macs = [block.macs(shape) for block, shape in zip(template.blocks, shapes, strict=False)]
    return [(1 - TASK_EFFORT) * mac / sum(macs) for mac in macs]
