"""The source paper's synthesis: share what all can share, split in two, and go on in both parts.

Weights are compared as absolute depths: taking the blocks already shared away from every weight, as the method is
usually told, changes no comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from taskgraft.space.instance import Instance
from taskgraft.space.split import Mask, Sides, Weights, flips, members
from taskgraft.space.tree import BranchTree, Node

MAX_EQUAL_SPLITS = 64
"""Up to so many equally good splits of a set, all are compared."""

_EFFORT = 1_000_000
"""Pairs of tasks in all splits that one synthesis compares.

Comparing nests: the parts of every candidate have candidates of their own. Ten tasks never get there; in large sets
with ties at many depths this keeps the work from growing with a power of the depth.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """The subtree chosen for a set of tasks; its first block is for its parent to say."""

    tasks: Mask
    stop: int
    children: tuple["Plan", ...]
    parameters: int
    """Of all blocks that these tasks go through, from block 0."""


class Planner:
    """The recursion over sets of tasks; it goes at most one level deeper per depth, whatever the number of tasks."""

    def __init__(self, instance: Instance) -> None:
        self._tasks = instance.tasks
        self._weights = Weights(instance.weights)
        self._below = (0, *accumulate(instance.template.block_parameters))
        self._depth = instance.template.depth
        self._reductions = instance.reductions
        self._plans: dict[Mask, Plan] = {}
        self._sums: dict[Mask, float] = {}
        self._effort = _EFFORT

    def plan(self, tasks: Mask) -> Plan:
        """Return the best subtree over ``tasks``."""
        if tasks not in self._plans:
            alone = tasks.bit_count() == 1
            self._plans[tasks] = self._leaf(tasks) if alone else self.divided(tasks, self._parts(tasks))
        return self._plans[tasks]

    def _leaf(self, task: Mask) -> Plan:
        return Plan(task, self._depth, (), self._below[self._depth])

    def divided(self, tasks: Mask, parts: Sequence[Mask]) -> Plan:
        """Return the subtree over ``tasks`` whose children are the best ones of ``parts``."""
        stop = self._weights.smallest(tasks)
        children: list[Plan] = []
        for child in map(self.plan, parts):
            adds_nothing = child.children and child.stop == stop
            children.extend(child.children if adds_nothing else [child])
        children.sort(key=lambda child: child.tasks & -child.tasks)
        own = self._below[stop]
        return Plan(tasks, stop, tuple(children), own + sum(child.parameters - own for child in children))

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
        """Choose by rules (b) to (e). By the last, early tasks stay in the first part, which has the first task."""

        def size(split: Sides) -> tuple[int, int]:
            return sum(self.plan(part).parameters for part in split), max(part.bit_count() for part in split)

        def reduction_then_order(split: Sides) -> tuple[float, list[int]]:
            in_second_part = [split[1] >> task & 1 for task in members(tasks)]
            return round(self._reduction(self.divided(tasks, split)), 12), in_second_part

        smallest = min(map(size, splits))
        return min((split for split in splits if size(split) == smallest), key=reduction_then_order)

    def _reduction(self, plan: Plan) -> float:
        """Return the sum of AR over all pairs of the subtree, each at the depth it shares."""
        parts = [child.tasks for child in plan.children]
        across = self._inside(plan.tasks, plan.stop) - sum(self._inside(part, plan.stop) for part in parts)
        return across + sum(self._best_reduction(child) for child in plan.children)

    def _best_reduction(self, plan: Plan) -> float:
        if plan.tasks not in self._sums:
            self._sums[plan.tasks] = self._reduction(plan)
        return self._sums[plan.tasks]

    def _inside(self, tasks: Mask, depth: int) -> float:
        names = members(tasks)
        return float(self._reductions(depth)[names][:, names].sum()) / 2 if len(names) > 1 else 0.0

    def tree(self, plan: Plan) -> BranchTree:
        """Return the plan as a tree that starts at block 0."""
        return BranchTree(self._node(plan, 0), self._depth)

    def _node(self, plan: Plan, start: int) -> Node:
        names = tuple(self._tasks[task] for task in members(plan.tasks))
        return Node(names, (start, plan.stop), tuple(self._node(child, plan.stop) for child in plan.children))
