"""From a reduction matrix to the tree: share what all can share, split, and go on in both parts.

Weights are compared as absolute depths: taking the blocks already shared away from every weight, as the method is
usually told, changes no comparison.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import networkx as nx
import numpy as np

from taskgraft.errors import Fault, InvalidInput
from taskgraft.space.matrix import Decision, FloatArray, ReductionMatrix
from taskgraft.space.split import IntArray, Mask, Sides, Weights, flips, members
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree, Node

MAX_EQUAL_SPLITS = 64
"""Up to so many equally good splits of a set, all are compared."""

_EFFORT = 1_000_000
"""Pairs of tasks in all splits that one synthesis compares.

Comparing nests: the parts of every candidate have candidates of their own. Ten tasks never get there; in large sets
with ties at many depths this keeps the work from growing with a power of the depth.
"""


def synthesize(
    matrix: ReductionMatrix, threshold: float, template: Template, decision: Decision = Decision.POINT
) -> BranchTree:
    """The tree that shares as much of ``template`` as the pairs of ``matrix`` allow at ``threshold``.

    No pair shares more blocks than its compatibility. Ties are broken by parameters, then by the larger part, then by
    the sum of AR, then by task order: another order of the same tasks may give another of equally good trees.

    Raises:
        InvalidInput: a threshold outside 0 <= Q < 1; a cell deeper than the template.
    """
    if matrix.deepest > template.depth:
        raise InvalidInput.at(
            "depth", f"template {template.name!r} has {template.depth} blocks; got a cell at depth {matrix.deepest}"
        )
    return synthesize_graph(matrix.compatibility(threshold, decision), template, matrix)


def synthesize_graph(graph: "nx.Graph[str]", template: Template, matrix: ReductionMatrix | None = None) -> BranchTree:
    """The same from a compatibility graph: nodes are tasks in order, ``weight`` of an edge is the depth they may share.

    A missing edge weighs 0, a weight beyond the template's depth counts as that depth. ``matrix`` tells the AR of what
    is shared; without it that tie-break is passed over.

    Raises:
        InvalidInput: no tasks; weights that are no whole numbers of at least 0; tasks that ``matrix`` does not have.
    """
    planner = _planner(graph, template, matrix)
    return planner.tree(planner.plan(planner.everything))


def first_splits(
    graph: "nx.Graph[str]", template: Template, matrix: ReductionMatrix | None = None
) -> Iterator[BranchTree]:
    """The best tree below every first split in two, each tree once: what the split rule is compared with.

    All tasks share what they can, as in `synthesize_graph`. There are 2^(n-1) - 1 splits of n tasks.

    Raises:
        InvalidInput: as `synthesize_graph`.
    """
    planner = _planner(graph, template, matrix)
    seen = set()
    for right in range(2, planner.everything, 2):
        tree = planner.tree(planner.divided(planner.everything, (planner.everything ^ right, right)))
        if tree not in seen:
            seen.add(tree)
            yield tree


@dataclass(frozen=True, slots=True)
class _Plan:
    """The subtree chosen for a set of tasks; its first block is for its parent to say."""

    tasks: Mask
    stop: int
    children: tuple["_Plan", ...]
    parameters: int
    """Of all blocks that these tasks go through, from block 0."""


class _Planner:
    """The recursion over sets of tasks; it goes at most one level deeper per depth, whatever the number of tasks."""

    def __init__(
        self, tasks: Sequence[str], weights: IntArray, template: Template, matrix: ReductionMatrix | None
    ) -> None:
        self.everything = (1 << len(tasks)) - 1
        self._tasks = tasks
        self._weights = Weights(weights)
        self._below = (0, *accumulate(block.parameters for block in template.blocks))
        self._depth = template.depth
        self._reductions = _reductions(matrix, tasks)
        self._plans: dict[Mask, _Plan] = {}
        self._sums: dict[Mask, float] = {}
        self._effort = _EFFORT

    def plan(self, tasks: Mask) -> _Plan:
        """The best subtree over ``tasks``."""
        if tasks not in self._plans:
            alone = tasks.bit_count() == 1
            self._plans[tasks] = self._leaf(tasks) if alone else self.divided(tasks, self._parts(tasks))
        return self._plans[tasks]

    def _leaf(self, task: Mask) -> _Plan:
        return _Plan(task, self._depth, (), self._below[self._depth])

    def divided(self, tasks: Mask, parts: Sequence[Mask]) -> _Plan:
        """The subtree over ``tasks`` whose children are the best ones of ``parts``."""
        stop = self._weights.smallest(tasks)
        children: list[_Plan] = []
        for child in map(self.plan, parts):
            adds_nothing = child.children and child.stop == stop
            children.extend(child.children if adds_nothing else [child])
        children.sort(key=lambda child: child.tasks & -child.tasks)
        own = self._below[stop]
        return _Plan(tasks, stop, tuple(children), own + sum(child.parameters - own for child in children))

    def _parts(self, tasks: Mask) -> Sequence[Mask]:
        shared = self._weights.smallest(tasks)
        components = self._weights.best_sides(tasks, shared)
        if components is None:
            return self._weights.groups(tasks, shared)
        if len(components) == 1:
            return components[0]
        if self._may_compare(2 ** (len(components) - 1), tasks.bit_count()):
            return self._best(tasks, list(flips(components)))
        return self._weights.place(components)

    def _may_compare(self, splits: int, tasks: int) -> bool:
        if splits > MAX_EQUAL_SPLITS or splits * tasks**2 > self._effort:
            return False
        self._effort -= splits * tasks**2
        return True

    def _best(self, tasks: Mask, splits: Sequence[Sides]) -> Sides:
        """Rules (b) to (e); by the last, early tasks stay together in the first part, which holds the first task."""

        def size(split: Sides) -> tuple[int, int]:
            return sum(self.plan(part).parameters for part in split), max(part.bit_count() for part in split)

        def reduction_then_order(split: Sides) -> tuple[float, list[int]]:
            in_second_part = [split[1] >> task & 1 for task in members(tasks)]
            return round(self._reduction(self.divided(tasks, split)), 12), in_second_part

        smallest = min(map(size, splits))
        return min((split for split in splits if size(split) == smallest), key=reduction_then_order)

    def _reduction(self, plan: _Plan) -> float:
        """The sum of AR over all pairs of the subtree, each at the depth it shares."""
        parts = [child.tasks for child in plan.children]
        across = self._inside(plan.tasks, plan.stop) - sum(self._inside(part, plan.stop) for part in parts)
        return across + sum(self._best_reduction(child) for child in plan.children)

    def _best_reduction(self, plan: _Plan) -> float:
        if plan.tasks not in self._sums:
            self._sums[plan.tasks] = self._reduction(plan)
        return self._sums[plan.tasks]

    def _inside(self, tasks: Mask, depth: int) -> float:
        names = members(tasks)
        return float(self._reductions(depth)[names][:, names].sum()) / 2 if len(names) > 1 else 0.0

    def tree(self, plan: _Plan) -> BranchTree:
        """The plan as a tree that starts at block 0."""
        return BranchTree(self._node(plan, 0), self._depth)

    def _node(self, plan: _Plan, start: int) -> Node:
        names = tuple(self._tasks[task] for task in members(plan.tasks))
        return Node(names, (start, plan.stop), tuple(self._node(child, plan.stop) for child in plan.children))


def _planner(graph: "nx.Graph[str]", template: Template, matrix: ReductionMatrix | None) -> _Planner:
    tasks = list(graph)
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
        faults.append(Fault("tasks", f"the matrix has {list(matrix.tasks)}; got {tasks}"))
    if faults:
        raise InvalidInput(faults)
    return _Planner(tasks, weights, template, matrix)


def _reductions(matrix: ReductionMatrix | None, tasks: Sequence[str]) -> Callable[[int], FloatArray]:
    """AR by depth in the order of ``tasks``; 0 where nothing is shared or that depth was not tried."""

    @cache
    def at(depth: int) -> FloatArray:
        if matrix is None or not depth:
            return np.zeros((len(tasks), len(tasks)))
        order = [matrix.tasks.index(task) for task in tasks]
        return matrix.reductions(depth)[order][:, order]

    return at
