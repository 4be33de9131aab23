"""Depth rules: at which depths a strategy asks about a pair. Pure functions of the depths and the answers so far."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

Depths = tuple[int, ...]
"""Depths at which pairs are tried, ascending."""
Answers = frozenset[tuple[int, bool]]
"""At which depths it is known whether a pair meets the threshold, and whether it does."""
NOTHING: Answers = frozenset()
Search = Callable[[Sequence[int], Callable[[int], bool]], object]
"""Looks for the deepest depth that meets the threshold, given the depths and a function that answers for one."""


class DepthRule(Protocol):
    """Chooses the depths at which a pair is asked about, given the answers about it so far."""

    def ready(self, depths: Depths, known: Answers) -> list[tuple[int, int]]:
        """Return the depths that may be asked about now.

        With each goes how many questions about the pair may still come, it and all that are behind it included.
        """
        ...

    def open_depths(self, depths: Depths, known: Answers) -> frozenset[int]:
        """Return the depths that may still be asked about."""
        ...

    def most_questions(self, depths: Depths, known: Answers = NOTHING) -> int:
        """Return how many questions about a pair may still come at most."""
        ...

    def fewest_questions(self, depths: Depths, known: Answers = NOTHING) -> int:
        """Return how many questions about a pair have to come in the best case."""
        ...

    def fewest_without_sharing(self, depths: Depths) -> int:
        """Return how many questions are needed at least to find that a pair shares nothing."""
        ...

    def expected_questions(self, depths: Depths, known: Answers, chance: float) -> float:
        """Return how many questions about a pair come on average, if each depth meets the threshold with a chance."""
        ...

    def in_turn(self, questions: int) -> int:
        """Return how many of so many questions about a pair follow one another."""
        ...


class _Open(Exception):
    """Raised when the depth of a pair depends on an answer that is not there yet."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth)
        self.depth = depth


@dataclass(frozen=True, slots=True)
class OneByOne:
    """Asks what a search for the deepest depth of a pair needs, each question after the answer to the one before.

    ``search`` is that search; ``fewest_if_broken`` is a lower bound of its questions if every depth breaks the
    threshold, by the number of depths.
    """

    search: Search
    fewest_if_broken: Callable[[int], int]

    def ready(self, depths: Depths, known: Answers) -> list[tuple[int, int]]:
        """Return the depth to ask about next, if the pair's compatibility is not known; see `DepthRule`."""
        depth = _asked_next(self.search, depths, dict(known))
        return [] if depth is None else [(self.most_questions(depths, known), depth)]

    def open_depths(self, depths: Depths, known: Answers) -> frozenset[int]:
        """Return the depths that may still be asked about, whatever the answers."""
        return _open_depths(self.search, depths, known)

    def most_questions(self, depths: Depths, known: Answers = NOTHING) -> int:
        """Return how many questions come if each answer is the worst."""
        return _extreme(max, self.search, depths, known)

    def fewest_questions(self, depths: Depths, known: Answers = NOTHING) -> int:
        """Return how many questions come if each answer is the best."""
        return _extreme(min, self.search, depths, known)

    def fewest_without_sharing(self, depths: Depths) -> int:
        """Return the lower bound of the questions if every depth breaks the threshold."""
        return self.fewest_if_broken(len(depths))

    def expected_questions(self, depths: Depths, known: Answers, chance: float) -> float:
        """Return the mean over all answers."""
        depth = _asked_next(self.search, depths, dict(known))
        if depth is None:
            return 0.0
        if_met, if_broken = (self.expected_questions(depths, known | {(depth, met)}, chance) for met in (True, False))
        return 1 + chance * if_met + (1 - chance) * if_broken

    def in_turn(self, questions: int) -> int:
        """Return all of them: each depends on the answer before."""
        return questions


def _asked_next(search: Search, depths: Depths, known: Mapping[int, bool]) -> int | None:
    """Return the depth that a search asks about next; None if it ends without another question."""

    def meets_threshold(depth: int) -> bool:
        if depth not in known:
            raise _Open(depth)
        return known[depth]

    try:
        search(depths, meets_threshold)
    except _Open as question:
        return question.depth
    return None


@cache
def _extreme(choose: Callable[[list[int]], int], search: Search, depths: Depths, known: Answers) -> int:
    """Return the greatest or the smallest number of questions that may still come."""
    depth = _asked_next(search, depths, dict(known))
    if depth is None:
        return 0
    return 1 + choose([_extreme(choose, search, depths, known | {(depth, met)}) for met in (True, False)])


@cache
def _open_depths(search: Search, depths: Depths, known: Answers) -> frozenset[int]:
    depth = _asked_next(search, depths, dict(known))
    if depth is None:
        return frozenset()
    after = (_open_depths(search, depths, known | {(depth, met)}) for met in (True, False))
    return frozenset({depth}).union(*after)
