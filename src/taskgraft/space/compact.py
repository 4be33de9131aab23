"""A tree with few encoder parameters for any number of tasks: greedy colouring, then a local search.

To divide tasks into the fewest parts that fit together is to colour the graph of their conflicts, level by level (see
`instance`). The search is ruin and recreate (G. Schrimpf et al., Record breaking optimization results using the ruin
and recreate principle, 2000): take the tasks of a few parts out of the tree, put them back in another way, and keep
what is not larger.
"""

import random
from collections.abc import Iterator, Sequence

from taskgraft.space.instance import Instance
from taskgraft.space.split import Mask, Weights, members
from taskgraft.space.tree import BranchTree

_EFFORT_PER_TASK = 100_000
_EFFORT = 20_000_000
"""Questions whether a task fits into a part, which bound the search: time would make the tree depend on the machine."""

_MOVING = 8
"""Moving a task in one level counts as so many questions."""

_RUINED_PARTS = 4
_RUINED_TASKS = 60
"""At most so many parts, and so many tasks, are taken out at once."""

_COLOURING = 0.4
"""Share of the ruins that are rebuilt from the deepest level up; in the others each task goes where it fits deepest."""

_NOISE = 0.3
"""The conflicts of what is coloured next are taken for up to this share less than they are."""


def compact_tree(instance: Instance) -> BranchTree:
    """Return the smallest tree that a bounded search finds; equal instances give equal trees."""
    search = _Search(instance)
    while search.may_improve and search.effort < min(_EFFORT, _EFFORT_PER_TASK * len(instance.tasks)):
        search.step()
    return instance.tree(search.chain())


class _Part:
    """Tasks that share a level, and their parts at the next one; while it has no tasks it does not hang in the tree."""

    __slots__ = ("above", "level", "parts", "tasks")

    def __init__(self, level: int, above: "_Part | None" = None) -> None:
        self.tasks: Mask = 0
        self.level = level
        self.above = above
        self.parts: list[_Part] = []


class _Search:
    """A tree that changes in place; the root stands for all tasks at level -1, above the first that has a price."""

    def __init__(self, instance: Instance) -> None:
        self.effort = 0
        self._prices = instance.prices()
        conflicts = Weights(instance.weights).conflicts
        self._conflicts = [conflicts[depth] for depth in instance.cuts[1:]]
        self._chance = random.Random(0).random
        self._size = 0
        self._home = [_Part(-1)] * len(instance.tasks)
        self._root = self._home[0]
        for task, home in self._coloured(range(len(self._home)), self._root, noise=0):
            self._put(task, home)

    def chain(self) -> list[list[Mask]]:
        """Return the parts of every level."""
        levels, parts = [], [self._root]
        for _ in self._prices:
            parts = [part for above in parts for part in above.parts]
            levels.append([part.tasks for part in parts])
        return levels

    @property
    def may_improve(self) -> bool:
        """Whether any level has more than one part."""
        return self._size > sum(self._prices)

    def step(self) -> None:
        """Take the tasks of a few parts out and put them back in another way, unless that makes the tree larger."""
        colouring = self._chance() < _COLOURING
        above, tasks = self._choose(siblings=colouring)
        size, old = self._size, [(task, self._home[task]) for task in tasks]
        for task in tasks:
            self._take(task)
        for task, home in self._coloured(tasks, above, _NOISE) if colouring else self._inserted(tasks):
            self._put(task, home)
        if self._size > size:
            for task in tasks:
                self._take(task)
            for task, home in old:
                self._put(task, home)
        self.effort += _MOVING * len(tasks) * len(self._prices)

    def _choose(self, siblings: bool) -> tuple[_Part, list[int]]:
        """Return the tasks of a few parts of one level in random order; what the first part, or all, belong to."""
        level = int(self._chance() * len(self._prices))
        part = self._any_part(level)
        above, tasks = part.above or self._root, part.tasks
        for _ in range(1 + int(self._chance() * (_RUINED_PARTS - 1))):
            other = above.parts[int(self._chance() * len(above.parts))] if siblings else self._any_part(level)
            if (tasks | other.tasks).bit_count() <= _RUINED_TASKS:
                tasks |= other.tasks
        return above, sorted(members(tasks), key=lambda _: self._chance())[:_RUINED_TASKS]

    def _any_part(self, level: int) -> _Part:
        """Return the part of a random task at ``level``, or deeper if it would hold too many tasks."""
        part = self._home[int(self._chance() * len(self._home))]
        while part.level > level and part.above and part.above.tasks.bit_count() <= _RUINED_TASKS:
            part = part.above
        return part

    def _take(self, task: int) -> None:
        bit, part = 1 << task, self._home[task]
        while part.above:
            part.tasks ^= bit
            if not part.tasks:
                part.above.parts.remove(part)
                self._size -= self._prices[part.level]
            part = part.above

    def _put(self, task: int, home: _Part) -> None:
        self._home[task] = home
        bit, part = 1 << task, home
        while part.above:
            if not part.tasks:
                part.above.parts.append(part)
                self._size += self._prices[part.level]
            part.tasks |= bit
            part = part.above

    def _inserted(self, tasks: Sequence[int]) -> Iterator[tuple[int, _Part]]:
        """Insert tasks that are out of the tree, one after the other, and return where each went."""
        return ((task, self._deepest(task)) for task in tasks)

    def _deepest(self, task: int) -> _Part:
        """Return where a task goes that is out of the tree: below the deepest part that it fits into."""
        best, last = self._root, len(self._prices) - 1
        open_parts = [best]
        while open_parts and best.level < last:
            above = open_parts.pop()
            against = self._conflicts[above.level + 1][task]
            self.effort += len(above.parts)
            fitting = [part for part in above.parts if not against & part.tasks]
            if fitting and fitting[0].level > best.level:
                best = fitting[0]
            open_parts.extend(fitting)
        while best.level < last:
            best = _Part(best.level + 1, best)
        return best

    def _coloured(self, tasks: Sequence[int], above: _Part, noise: float) -> Iterator[tuple[int, _Part]]:
        """Return where tasks go below ``above`` that are out of the tree; parts merge from the deepest level up."""
        parts = [1 << task for task in tasks]
        levels = []
        for level in range(len(self._prices) - 1, above.level, -1):
            parts = self._merged(parts, level, noise)
            levels.append(parts)
        homes = dict.fromkeys(tasks, above)
        for level, parts in enumerate(reversed(levels), start=above.level + 1):
            for part in map(members, parts):
                homes.update(dict.fromkeys(part, _Part(level, homes[part[0]])))
        return iter(homes.items())

    def _merged(self, parts: Sequence[Mask], level: int, noise: float) -> list[Mask]:
        """Colour the next level's parts greedily: most conflicts first, each with the first that fits."""
        everything = sum(parts)
        against = {part: self._against(part, level) for part in parts}
        merged: list[Mask] = []

        def difficulty(part: Mask) -> float:
            return (against[part] & everything).bit_count() * (1 - noise * self._chance())

        for part in sorted(parts, key=difficulty, reverse=True):
            self.effort += len(merged)
            place = next((place for place, other in enumerate(merged) if not against[part] & other), None)
            if place is None:
                merged.append(part)
            else:
                merged[place] |= part
        return merged

    def _against(self, part: Mask, level: int) -> Mask:
        """Return the tasks that some task of ``part`` must not share ``level`` with."""
        against = 0
        for task in members(part):
            against |= self._conflicts[level][task]
        return against
