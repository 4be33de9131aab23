"""Bisection over depths: what breaks the threshold is taken to break it where more blocks are shared, too."""

from collections.abc import Callable, Sequence


def deepest(depths: Sequence[int], keeps: Callable[[int], bool]) -> int:
    """The deepest of ``depths`` (ascending) that keeps the threshold, 0 where none does.

    The deepest of all is asked first, since it is the answer most often; then one in the middle of what is left, so
    that n depths (more than one) take at most 2 + log2(n - 1) questions, rounded down.
    """
    if not depths or keeps(depths[-1]):
        return depths[-1] if depths else 0
    low, high = -1, len(depths) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if keeps(depths[middle]) else (low, middle)
    return depths[low] if low >= 0 else 0
