"""Scales: which ticks an axis has, and how they are written."""

import math
from collections.abc import Sequence

_LEAST = 1e-6
"""What two figures differ by, as a share of the larger one, if an axis is to tell them apart."""


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round figures from at most ``low`` to at least ``high``, 1, 2 or 5 times a power of ten apart.

    >>> nice_ticks(0, 118_211)
    [0.0, 50000.0, 100000.0, 150000.0]
    >>> nice_ticks(0.83, 0.97)
    [0.8, 0.85, 0.9, 0.95, 1.0]
    """
    size = max(abs(low), abs(high), 1)
    if high - low <= _LEAST * size:
        low, high = low - size / 10, high + size / 10
    step = _step((high - low) / (most - 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least * (1 - 1e-9))


def percent_ticks(high: float, apart: float = 0.05) -> list[float]:
    """Return fractions for an axis from 0 to ``high`` on which small ones are spread (`root_place`).

    From one to the next it is at least the part ``apart`` of the axis.

    >>> percent_ticks(0.28)
    [0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2]
    """
    found = [0.0]
    for tick in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0):
        if high / 100 < tick <= high and root_place(tick, high) - root_place(found[-1], high) >= apart:
            found.append(tick)
    return found


_DIGITS = 3


def root_place(value: float, high: float) -> float:
    """Return where a value lies on an axis from 0 to ``high``, 0 to 1; distances grow as roots do."""
    return math.sqrt(value / high)


def write_ticks(ticks: Sequence[float], most_letters: int | None = None) -> list[str]:
    """Return all ticks with as many decimals as the finest needs; as powers of ten if that takes too many letters.

    >>> write_ticks([0.8, 0.85, 0.9])
    ['0.80', '0.85', '0.90']
    >>> write_ticks([0.0, 50000.0])
    ['0', '50,000']
    """
    decimals = max(map(_decimals, ticks), default=0)
    if most_letters is not None and len(f"{max(map(abs, ticks)):,.{decimals}f}") >= most_letters:
        return [f"{tick:.{_DIGITS}g}" for tick in ticks]
    return [f"{tick:,.{decimals}f}" for tick in ticks]


def _decimals(value: float) -> int:
    return next((decimals for decimals in range(6) if abs(round(value, decimals) - value) < 1e-9), 6)
