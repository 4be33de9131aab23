"""Whether a long training should start before shorter ones that wait: so that it does not go on alone at the end."""

import heapq
from collections.abc import Sequence

_LEAST_GAIN = 0.05
"""In units of a baseline; less is within the error of what trainings take."""


def should_start_now(
    long: float, waiting: Sequence[float], later: Sequence[float], under_way: Sequence[float], workers: int
) -> bool:
    """Return whether everything ends earlier if ``long`` starts now than if one or more of those waiting go first.

    So it starts as late as it can. All figures are units of time: of the trainings that wait, of those that follow, and
    what is left of those under way. Trainings are given to ``workers`` in that order, each when one is free.
    """
    spans = [
        _span([*waiting[:place], long, *waiting[place:], *later], under_way, workers)
        for place in range(len(waiting) + 1)
    ]
    return len(spans) > 1 and spans[0] < min(spans[1:]) - _LEAST_GAIN


def _span(trainings: Sequence[float], under_way: Sequence[float], workers: int) -> float:
    """Return when the last training ends if each starts, in this order, as soon as a worker is free."""
    free = [*under_way, *[0.0] * (workers - len(under_way))]
    heapq.heapify(free)
    for units in trainings:
        heapq.heappush(free, heapq.heappop(free) + units)
    return max(free)
