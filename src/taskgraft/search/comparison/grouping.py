"""The best set of networks, each trained on a group of tasks and answering some of them.

Source: Standley et al., Which tasks should be learned together in multi-task learning?, ICML 2020, section 4: every
task is answered by one of the networks; a network may be trained on more tasks than it answers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

MAX_GROUPED_TASKS = 8
"""The search is exact, and looks at all 3^n pairs of a set and a part of it."""
_DIGITS = 12
"""Sums that agree to so many digits are equal, whatever the order of their terms."""

Worth = Callable[[tuple[str, ...], str], float]
"""Returns how well a task is expected to do in a network that is trained on a group, the more the better."""


@dataclass(frozen=True, slots=True)
class Group:
    """A network: the tasks that it is trained on, and those that it answers."""

    trained: tuple[str, ...]
    answers: tuple[str, ...]


def best_groups(tasks: Sequence[str], most: int, worth: Worth) -> tuple[Group, ...]:
    """Return the at most ``most`` networks with the largest sum of ``worth`` over all tasks.

    Of equally good sets, the one with the fewest networks, then the one that comes first by its answers, as numbers
    whose bits are tasks. Of equally good groups for the same answers, the smallest, then the first.

    Raises:
        ValueError: no task, more than `MAX_GROUPED_TASKS`, or no network.
    """
    if not 1 <= len(tasks) <= MAX_GROUPED_TASKS or most < 1:
        raise ValueError(f"1 to {MAX_GROUPED_TASKS} tasks and a network or more; got {len(tasks)} and {most}")
    chosen = _Chooser(tuple(tasks), worth).best(most)
    return tuple(sorted(chosen, key=lambda group: tasks.index(group.answers[0])))


class _Chooser:
    """Sets of tasks are masks: bit i is task i."""

    def __init__(self, tasks: tuple[str, ...], worth: Worth) -> None:
        self._tasks = tasks
        self._all = (1 << len(tasks)) - 1
        self._worth = cache(worth)
        self._trained = {answers: self._best_training(answers) for answers in range(1, self._all + 1)}
        self._best = cache(self._divide)

    def best(self, most: int) -> list[Group]:
        """Return the best networks for all tasks."""
        _, _, parts = min(self._best(self._all, count) for count in range(1, most + 1))
        return [Group(self._names(self._trained[part][1]), self._names(part)) for part in parts]

    def _best_training(self, answers: int) -> tuple[float, int]:
        """Return the largest sum of worth for these answers, negative, and the group to train for it."""
        return min(
            (-round(self._sum(group, answers), _DIGITS), group.bit_count(), group) for group in self._above(answers)
        )[::2]

    def _above(self, answers: int) -> Iterator[int]:
        rest = self._all ^ answers
        more = rest
        while True:
            yield answers | more
            if not more:
                return
            more = (more - 1) & rest

    def _sum(self, group: int, answers: int) -> float:
        names = self._names(group)
        return sum(self._worth(names, task) for task in self._names(answers))

    def _divide(self, tasks: int, most: int) -> tuple[float, int, tuple[int, ...]]:
        """Return (negative sum, networks, answers of each) of the best at most ``most`` networks for ``tasks``."""
        candidates: list[tuple[float, int, tuple[int, ...]]] = [(self._trained[tasks][0], 1, (tasks,))]
        if most > 1:
            first = tasks & -tasks
            rest = tasks ^ first
            part = rest
            while part:
                part = (part - 1) & rest  # never all of the rest: that is the case above
                own = first | part
                lost, count, others = self._best(tasks ^ own, most - 1)
                total = round(self._trained[own][0] + lost, _DIGITS)
                candidates.append((total, 1 + count, (own, *others)))
        return min(candidates)

    def _names(self, mask: int) -> tuple[str, ...]:
        return tuple(task for place, task in enumerate(self._tasks) if mask >> place & 1)
