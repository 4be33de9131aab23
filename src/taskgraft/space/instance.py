"""What every synthesis is given: how deep each pair of tasks may share, and what the blocks cost.

A tree is a chain of partitions here. Between two depths that no pair's weight tells apart nothing can change, so those
blocks are one level: level j stands for blocks ``cuts[j]..cuts[j + 1]``, and a part of it is a set of tasks whose
weights are all ``cuts[j + 1]`` or more. Every part of a level lies within one of the level above.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import networkx as nx
import numpy as np

from taskgraft.errors import Fault, InvalidInput
from taskgraft.space.matrix import FloatArray, ReductionMatrix
from taskgraft.space.split import IntArray, Mask, members
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree, Node

Chain = Sequence[Sequence[Mask]]
"""The parts of every level, first level first."""


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """Tasks, the depths their pairs may share, and the template that the tree is cut from; made by `read_instance`."""

    tasks: tuple[str, ...]
    weights: IntArray
    """Shape (tasks, tasks), symmetric, 0..B; the diagonal is not looked at."""
    template: Template
    reductions: Callable[[int], FloatArray]
    """AR of every pair by depth, shape (tasks, tasks); 0 where nothing is shared or that depth was not tried."""

    @property
    def everything(self) -> Mask:
        """All tasks."""
        return (1 << len(self.tasks)) - 1

    @property
    def cuts(self) -> tuple[int, ...]:
        """0 and every depth that is some pair's weight, ascending."""
        pairs = self.weights[~np.eye(len(self.tasks), dtype=bool)]
        return 0, *(int(depth) for depth in np.unique(pairs) if depth)

    def prices(self) -> list[int]:
        """Return the parameters of the blocks of every level."""
        parameters = self.template.block_parameters
        return [sum(parameters[start:stop]) for start, stop in pairwise(self.cuts)]

    def tree(self, chain: Chain) -> BranchTree:
        """Return the tree whose parts at every level are those of ``chain``."""
        return BranchTree(_Grower(self, chain).node(self.everything, 0, 0), self.template.depth)


class _Grower:
    """Turns a chain of partitions into nodes."""

    def __init__(self, instance: Instance, chain: Chain) -> None:
        self._tasks = instance.tasks
        self._cuts = instance.cuts
        self._depth = instance.template.depth
        self._by_first_task = [{part & -part: part for part in parts} for parts in chain]

    def node(self, tasks: Mask, start: int, level: int) -> Node:
        """Return the node over ``tasks`` from block ``start``; they stay together in all levels before this one."""
        names = tuple(self._tasks[task] for task in members(tasks))
        if len(names) == 1:
            return Node(names, (start, self._depth))
        while (parts := list(self._parts(tasks, level))) == [tasks]:
            level += 1
        stop = self._cuts[level]
        return Node(names, (start, stop), tuple(self.node(part, stop, level + 1) for part in parts))

    def _parts(self, tasks: Mask, level: int) -> Iterator[Mask]:
        """Return the parts in the order of their first tasks; single tasks below the last level."""
        while tasks:
            first = tasks & -tasks
            part = self._by_first_task[level][first] if level < len(self._by_first_task) else first
            yield part
            tasks ^= part


def read_instance(graph: "nx.Graph[str]", template: Template, matrix: ReductionMatrix | None = None) -> Instance:
    """Check a compatibility graph and turn it into arrays; weights beyond the template's depth count as that depth.

    Raises:
        InvalidInput: no tasks; weights that are no whole numbers of at least 0; tasks that ``matrix`` does not have.
    """
    tasks = tuple(graph)
    if not tasks:
        raise InvalidInput.at("tasks", "a tree has one task or more; got none")
    place = {task: index for index, task in enumerate(tasks)}
    weights = np.zeros((len(tasks), len(tasks)), dtype=np.int64)
    faults = []
    for first, second, attributes in graph.edges(data=True):
        weight = attributes.get("weight")
        if isinstance(weight, int) and weight >= 0:
            row, column = place[first], place[second]
            weights[row, column] = weights[column, row] = min(weight, template.depth)
        else:
            faults.append(Fault(f"{first},{second}", f"a weight is a whole number of at least 0; got {weight!r}"))
    if matrix and not place.keys() <= set(matrix.tasks):
        faults.append(Fault("tasks", f"the matrix has {list(matrix.tasks)}; got {list(tasks)}"))
    if faults:
        raise InvalidInput(faults)
    return Instance(tasks, weights, template, _reductions(matrix, tasks))


def _reductions(matrix: ReductionMatrix | None, tasks: Sequence[str]) -> Callable[[int], FloatArray]:
    @cache
    def at(depth: int) -> FloatArray:
        if matrix is None or not depth:
            return np.zeros((len(tasks), len(tasks)))
        order = [matrix.tasks.index(task) for task in tasks]
        return matrix.reductions(depth)[order][:, order]

    return at
