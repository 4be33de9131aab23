"""Strategy `bisection`: every pair at its deepest depth, then by bisection.

What breaks the threshold is taken to break it where more blocks are shared, too.
"""

from collections.abc import Callable, Sequence

from taskgraft.search.strategies.depth_rules import OneByOne
from taskgraft.search.strategies.pairs import PairStrategy


def deepest(depths: Sequence[int], meets_threshold: Callable[[int], bool]) -> int:
    """Return the deepest of ``depths`` (ascending) that meets the threshold, 0 if none does.

    The deepest of all is asked first, since it is the answer most often; then one in the middle of what is left, so
    that n depths (more than one) take at most 2 + log2(n - 1) questions, rounded down.
    """
    if not depths or meets_threshold(depths[-1]):
        return depths[-1] if depths else 0
    low, high = -1, len(depths) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if meets_threshold(depths[middle]) else (low, middle)
    return depths[low] if low >= 0 else 0


BISECTION = PairStrategy(OneByOne(deepest, fewest_if_broken=lambda depths: 1))
