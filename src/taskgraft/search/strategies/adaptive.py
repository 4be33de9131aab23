"""Strategy `adaptive`: every pair from the deepest depth down, up to the first that meets the threshold."""

from collections.abc import Callable, Sequence

from taskgraft.search.strategies.depth_rules import OneByOne
from taskgraft.search.strategies.pairs import PairStrategy


def from_the_deepest(depths: Sequence[int], meets_threshold: Callable[[int], bool]) -> int:
    """Return the deepest of ``depths`` (ascending) that meets the threshold, asked from there down; 0 if none does."""
    return next(filter(meets_threshold, reversed(depths)), 0)


ADAPTIVE = PairStrategy(OneByOne(from_the_deepest, fewest_if_broken=lambda depths: depths))
