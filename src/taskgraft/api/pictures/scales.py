"""Scales: which ticks an axis has, and how they are written."""

import math
from collections.abc import Iterable, Sequence


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round figures from at most ``low`` to at least ``high``, 1, 2 or 5 times a power of ten apart.

    >>> nice_ticks(0, 118_211)
    [0.0, 50000.0, 100000.0, 150000.0]
    >>> nice_ticks(0.83, 0.97)
    [0.8, 0.85, 0.9, 0.95, 1.0]
    """
    if not high > low:
        low, high = low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10
    step = _step((high - low) / (most - 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least * (1 - 1e-9))


def percent_ticks(high: float) -> list[float]:
    """Return fractions for an axis from 0 to ``high`` on which small ones are spread (`root_place`).

    >>> percent_ticks(0.28)
    [0.0, 0.005, 0.02, 0.05, 0.1, 0.2]
    """
    found = [0.0]
    for tick in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0):
        if tick <= high and root_place(tick, high) - root_place(found[-1], high) >= _APART:
            found.append(tick)
    return found


_APART = 0.11
"""Of the axis, from one tick to the next."""


def root_place(value: float, high: float) -> float:
    """Return where a value lies on an axis from 0 to ``high``, 0 to 1; distances grow as roots do."""
    return math.sqrt(value / high)


def write_ticks(ticks: Sequence[float]) -> list[str]:
    """Return all ticks with as many decimals as the finest of them needs.

    >>> write_ticks([0.8, 0.85, 0.9])
    ['0.80', '0.85', '0.90']
    >>> write_ticks([0.0, 50000.0])
    ['0', '50,000']
    """
    decimals = max(map(_decimals, ticks), default=0)
    return [f"{tick:,.{decimals}f}" for tick in ticks]


def _decimals(value: float) -> int:
    return next((decimals for decimals in range(6) if abs(round(value, decimals) - value) < 1e-9), 6)


def within(values: Iterable[float]) -> list[float]:
    """Return the values that are finite."""
    return [value for value in values if math.isfinite(value)]
