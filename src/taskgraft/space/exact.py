"""The tree with the fewest encoder parameters, by dynamic programming over sets of tasks.

Let ``least[j][S]`` be the fewest parameters of levels j and on for the tasks S (levels: see `instance`). The part T of
level j that holds the first task of S is shared by all of T, and the rest of S is divided without it:

    least[j][S] = min over T of price[j] + least[j + 1][T] + least[j][S - T]

where T runs over the subsets of S that hold its first task and whose weights reach level j: 3^n / 2 pairs of sets for
every level, as in optimal colouring (E. L. Lawler, A note on the complexity of the chromatic number problem, 1976).
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from taskgraft.errors import InvalidInput
from taskgraft.space.instance import Instance
from taskgraft.space.split import IntArray, Mask, members
from taskgraft.space.tree import BranchTree

MAX_EXACT_TASKS = 12
"""With one task more, exact synthesis takes about three times as long."""

_UNIT = 1e-12
"""AR is counted in whole units, so that equal sums are equal whatever the order of adding; above 1 it counts as 1."""


def exact_tree(instance: Instance) -> BranchTree:
    """Return the tree with the fewest encoder parameters among all in which every pair shares at most its weight.

    Of those, the one with the smallest sum of AR over all pairs, each at the depth it shares. Of those, by task order,
    level by level from block 0: every part, parts in the order of their first tasks, keeps the earliest tasks it can.

    Raises:
        InvalidInput: more than `MAX_EXACT_TASKS` tasks.
    """
    if len(instance.tasks) > MAX_EXACT_TASKS:
        raise InvalidInput.at(
            "synthesis", f"exact synthesis takes at most {MAX_EXACT_TASKS} tasks; got {len(instance.tasks)}"
        )
    table = _Table(instance)
    chain: list[list[Mask]] = []
    parts = [instance.everything]
    for level in range(len(instance.cuts) - 1):
        parts = [part for tasks in parts for part in table.divided(tasks, level)]
        chain.append(parts)
    return instance.tree(chain)


class _Table:
    """The best division of every set of tasks at every level; sets are array indices."""

    def __init__(self, instance: Instance) -> None:
        self._depths = instance.cuts[1:]
        self._prices = instance.prices()
        self._smallest = _over_subsets(instance.weights, np.minimum, nothing=instance.template.depth)
        self._gained = [_over_subsets(pairs, np.add, nothing=0) for pairs in _gains(instance)]
        shape = len(self._depths) + 1, instance.everything + 1
        self._size = np.zeros(shape, dtype=np.int64)
        self._reduction = np.zeros(shape, dtype=np.int64)
        self._first_part = np.zeros(shape, dtype=np.int64)
        for tasks in range(1, instance.everything + 1):
            parts = _first_parts(tasks)
            for level in reversed(range(len(self._depths))):
                self._fill(level, tasks, parts[self._smallest[parts] >= self._depths[level]])

    def _fill(self, level: int, tasks: Mask, parts: IntArray) -> None:
        """Fill the cell of ``tasks``; the cells of the sets within it and of the levels below are there."""
        rest = tasks ^ parts
        sizes = self._prices[level] + self._size[level + 1, parts] + self._size[level, rest]
        smallest = np.flatnonzero(sizes == sizes.min())
        parts, rest = parts[smallest], rest[smallest]
        reductions = self._gained[level][parts] + self._reduction[level + 1, parts] + self._reduction[level, rest]
        best = reductions.argmin()
        self._size[level, tasks] = sizes.min()
        self._reduction[level, tasks] = reductions[best]
        self._first_part[level, tasks] = parts[best]

    def divided(self, tasks: Mask, level: int) -> Iterator[Mask]:
        """Return the parts of ``tasks`` at a level, in the order of their first tasks."""
        while tasks:
            part = int(self._first_part[level, tasks])
            yield part
            tasks ^= part


def _gains(instance: Instance) -> Iterator[IntArray]:
    """Return, for every level, by how many units the AR of a pair is larger at its end than at its start."""
    units = [np.rint(np.minimum(instance.reductions(depth), 1) / _UNIT).astype(np.int64) for depth in instance.cuts]
    return (after - before for before, after in pairwise(units))


def _over_subsets(pairs: IntArray, combine: Callable[[IntArray, npt.ArrayLike], IntArray], nothing: int) -> IntArray:
    """Apply ``combine`` over all pairs inside every set of tasks; ``nothing`` for sets of no pairs."""
    total = np.array([nothing])
    for task, values in enumerate(pairs):
        with_task = np.array([nothing])
        for value in values[:task]:
            with_task = np.concatenate([with_task, combine(with_task, value)])
        total = np.concatenate([total, combine(total, with_task)])
    return total


def _first_parts(tasks: Mask) -> IntArray:
    """Return all subsets with the first task; those with the next earlier tasks come first, so ``tasks`` itself."""
    first, *others = members(tasks)
    parts = np.array([1 << first])
    for task in reversed(others):
        parts = np.concatenate([parts | 1 << task, parts])
    return parts
