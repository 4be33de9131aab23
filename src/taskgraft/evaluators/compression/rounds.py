"""How many weights each round of pruning leaves: plain numbers."""

import math

RATE = 0.2
"""The share of what is left that a round prunes, as in the source (Frankle and Carbin 2019)."""


def rounds(weights: int, target: int) -> tuple[int, ...]:
    """Return how many of so many ``weights`` each round leaves; the last one leaves the ``target`` exactly.

    No round is needed if there are no more weights than that.

    >>> rounds(120_000, 58_000)
    (96000, 76800, 61440, 58000)

    Raises:
        ValueError: ``target`` is below 1.
    """
    if target < 1:
        raise ValueError(f"pruning leaves one weight or more; got {target}")
    left, found = weights, []
    while left > target:
        left = max(target, math.floor(left * (1 - RATE)))
        found.append(left)
    return tuple(found)
