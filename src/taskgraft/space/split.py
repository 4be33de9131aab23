"""How one set of tasks is divided: the exact split in two, and groups where no split in two gains anything.

Tasks are bits of an integer here: bit i stands for task i in task order, and a set of tasks is a mask.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

Mask = int
Sides = tuple[Mask, Mask]
IntArray = npt.NDArray[np.int64]

_OUT = -(2**40)
"""In place of the count of common fits: the pair can't be joined any more."""
_AT_ONCE = 100_000
"""Pairs of groups whose rows of bits are held at a time."""


def members(mask: Mask) -> list[int]:
    """Return the tasks of a set, in task order.

    >>> members(0b10110)
    [1, 2, 4]
    """
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return found


class Weights:
    """How deep each pair of tasks may share, and the questions that a split asks about it.

    Args:
        weights: symmetric whole numbers, shape (tasks, tasks); the diagonal is not looked at.
    """

    def __init__(self, weights: IntArray) -> None:
        self._weights = weights

    @cached_property
    def conflicts(self) -> dict[int, list[Mask]]:
        """For every weight t that occurs, largest first: per task, the others that its weight with is below t."""
        apart = ~np.eye(len(self._weights), dtype=bool)
        return {int(t): _rows_as_masks((self._weights < t) & apart) for t in np.unique(self._weights)[::-1]}

    def smallest(self, tasks: Mask) -> int:
        """Return the smallest weight inside a set of two tasks or more."""
        inside = members(tasks)
        return next(t for t, others in self.conflicts.items() if not any(others[task] & tasks for task in inside))

    def best_sides(self, tasks: Mask, floor: int) -> list[Sides] | None:
        """Return the components whose sides make every split in two with the largest smallest inside weight t.

        Pairs below t are in conflict; t is reachable exactly when the conflict graph is bipartite. Each component may
        be turned over on its own. None where no split reaches more than ``floor``.
        """
        reachable = (self._two_colouring(tasks, others) for t, others in self.conflicts.items() if t > floor)
        return next((sides for sides in reachable if sides is not None), None)

    def _two_colouring(self, tasks: Mask, conflicts: Sequence[Mask]) -> list[Sides] | None:
        """Return both sides of every connected component, the one with its first task first; None for an odd cycle."""
        components = []
        while tasks:
            sides = _levels(tasks & -tasks, tasks, conflicts)
            if any(conflicts[task] & side for side in sides for task in members(side)):
                return None
            components.append(sides)
            tasks &= ~(sides[0] | sides[1])
        return components

    def place(self, components: Sequence[Sides]) -> Sides:
        """Return one of many equally good splits: components largest first, each turned to where it fits deeper.

        That is the turn with the larger mean weights between its sides and the parts they join; where both are alike,
        the one that keeps the larger part small; else the component stays as it is.
        """
        left, right = 0, 0
        for sides in sorted(components, key=lambda sides: (sides[0] | sides[1]).bit_count(), reverse=True):
            first, second = self._better_turn(left, right, sides)
            left, right = left | first, right | second
        return left, right

    def _better_turn(self, left: Mask, right: Mask, sides: Sides) -> Sides:
        def merit(turn: Sides) -> tuple[float, int]:
            fit = self._mean(left, turn[0]) + self._mean(right, turn[1])
            return round(fit, 9), -max((left | turn[0]).bit_count(), (right | turn[1]).bit_count())

        return max((sides, (sides[1], sides[0])), key=merit)

    def _mean(self, part: Mask, joining: Mask) -> float:
        return float(self._weights[members(part)][:, members(joining)].mean()) if part and joining else 0.0

    def groups(self, tasks: Mask, floor: int) -> list[Mask]:
        """Return the groups of complete linkage whose smallest inside weight is above ``floor``, by their first tasks.

        Joins the two groups with the largest smallest weight between them until none is above ``floor``. Of equally
        good joins, the one with the most other groups that both fit with, so that chance pairs do not break groups up;
        then the first.
        """
        names = members(tasks)
        joined = [1 << task for task in names]
        for kept, gone in _Linkage(self._weights[names][:, names], floor).joins():
            joined[kept] |= joined[gone]
            joined[gone] = 0
        return [group for group in joined if group]


def flips(components: Sequence[Sides]) -> Iterator[Sides]:
    """Yield every split that the components allow once; the first component stays as it is."""
    for turns in product((False, True), repeat=len(components) - 1):
        left, right = components[0]
        for turned, (first, second) in zip(turns, components[1:], strict=True):
            left |= second if turned else first
            right |= first if turned else second
        yield left, right


def _rows_as_masks(relation: npt.NDArray[np.bool_]) -> list[Mask]:
    rows = np.packbits(relation, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def _levels(start: Mask, tasks: Mask, conflicts: Sequence[Mask]) -> Sides:
    """Return the breadth-first levels from ``start``: all at an even distance, and all at an odd one."""
    sides, parity, frontier = [start, 0], 0, start
    while frontier:
        reached = 0
        for task in members(frontier):
            reached |= conflicts[task]
        frontier = reached & tasks & ~(sides[0] | sides[1])
        parity = 1 - parity
        sides[parity] |= frontier
    return sides[0], sides[1]


class _Linkage:
    """Complete linkage in progress, one weight after the other from the largest down; one row per group.

    A join only ever lowers the weights of the group that it makes. So the pairs that may be joined at a weight are all
    there when it is reached, and become fewer: each join touches those, not all pairs of groups.
    """

    def __init__(self, weights: IntArray, floor: int) -> None:
        self._link = np.where((weights > floor) & ~np.eye(len(weights), dtype=bool), weights, 0).astype(np.int16)
        self._names = np.arange(len(weights))

    def joins(self) -> Iterator[tuple[int, int]]:
        """Yield each join as (group kept, group gone), named by the rows they began with."""
        while (weight := int(self._link.max(initial=0))) > 0:
            for kept, gone in self._joins_at(weight):
                yield int(self._names[kept]), int(self._names[gone])
                self._names[gone] = -1
            self._drop_emptied()

    def _joins_at(self, weight: int) -> Iterator[tuple[int, int]]:
        """Yield joins of groups whose smallest weight is this, the largest that is left, by row."""
        fits = _Fits(self._link > 0)
        first, second = np.nonzero(np.triu(self._link == weight))
        common, out = fits.common(first, second), 0
        while len(first) > out:
            best = int(common.argmax())
            kept, gone = int(first[best]), int(second[best])
            # a common fit less for every pair of others that fits with either: two that both fit with become one
            common -= _both(fits.of(kept), first, second) | _both(fits.of(gone), first, second)
            self._join(kept, gone)
            fits.join(kept, gone)
            yield kept, gone
            touched = np.flatnonzero((first == kept) | (second == kept) | (first == gone) | (second == gone))
            fitting = self._link[first[touched], second[touched]] == weight
            common[touched] = np.where(fitting, fits.common(first[touched], second[touched]), _OUT)
            out = int((common < 0).sum())
            if out * 4 > len(first):
                left, out = common >= 0, 0
                first, second, common = first[left], second[left], common[left]

    def _join(self, kept: int, gone: int) -> None:
        link = self._link
        link[kept] = link[:, kept] = np.minimum(link[kept], link[gone])
        link[gone] = link[:, gone] = 0

    def _drop_emptied(self) -> None:
        left = np.flatnonzero(self._names >= 0)
        self._link, self._names = self._link[np.ix_(left, left)], self._names[left]


class _Fits:
    """Which groups fit together at all: one row of bits per group, so that common fits are counted 64 at a time."""

    def __init__(self, fits: npt.NDArray[np.bool_]) -> None:
        packed = np.packbits(fits, axis=1, bitorder="little")
        self._bytes = np.zeros((len(fits), -(-len(fits) // 64) * 8), np.uint8)
        self._bytes[:, : packed.shape[1]] = packed
        self._words = self._bytes.view(np.uint64)

    def common(self, first: IntArray, second: IntArray) -> IntArray:
        """Return how many other groups both of each pair fit with."""
        counts = np.zeros(len(first), np.int64)
        for start in range(0, len(first), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            both = self._words[first[part]] & self._words[second[part]]
            counts[part] = np.bitwise_count(both).sum(axis=1)
        return counts

    def of(self, group: int) -> npt.NDArray[np.bool_]:
        """Return which groups a group fits with (and some places behind the last group, all false)."""
        return np.unpackbits(self._bytes[group], bitorder="little").astype(bool)

    def join(self, kept: int, gone: int) -> None:
        """Join two groups: the kept one fits what both fit, the other fits nothing any more."""
        self._replace(kept, self._bytes[kept] & self._bytes[gone])
        self._replace(gone, np.zeros_like(self._bytes[gone]))

    def _replace(self, group: int, row: npt.NDArray[np.uint8]) -> None:
        """Write a group's row of bits, and its bit in all other rows."""
        self._bytes[group] = row
        byte, bit = divmod(group, 8)
        column = np.unpackbits(row, bitorder="little")[: len(self._bytes)]
        self._bytes[:, byte] = (self._bytes[:, byte] & np.uint8(0xFF ^ (1 << bit))) | (column << np.uint8(bit))


def _both(one: npt.NDArray[np.bool_], first: IntArray, second: IntArray) -> npt.NDArray[np.bool_]:
    """Return the pairs of which both are among those marked."""
    found: npt.NDArray[np.bool_] = one[first] & one[second]
    return found
