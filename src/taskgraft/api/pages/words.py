"""Numbers as pages write them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from taskgraft.search.evidence.verdict import percent_up

NOTHING = "\N{EN DASH}"
"""What stands for a number that is not known."""
_UNIT = "\N{NO-BREAK SPACE}%"
MINUS = "\N{MINUS SIGN}"


def percent(share: float | None, digits: int = 1) -> str:
    r"""Return a share as a percentage.

    >>> percent(0.0213)
    '2.1\xa0%'
    """
    return NOTHING if share is None else f"{_number(share, digits)}{_UNIT}"


def _number(share: float, digits: int) -> str:
    shown = f"{100 * share:.{digits}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown.replace("-", MINUS)


def points(share: float | None, digits: int = 1) -> str:
    """Return a share as a percentage without its sign of unit, for tables that name the unit once.

    >>> points(0.0213)
    '2.1'
    """
    return NOTHING if share is None else _number(share, digits)


def threshold(share: float) -> str:
    r"""Return a threshold in four digits at most.

    >>> threshold(0.02), threshold(0.0123456)
    ('2\xa0%', '1.235\xa0%')
    """
    return f"{100 * share:.4g}{_UNIT}"


def bound(share: float) -> str:
    r"""Return an upper bound as a percentage that holds as it is written.

    >>> bound(0.03104)
    '3.11\xa0%'
    """
    return percent_up(share).replace(" ", "\N{NO-BREAK SPACE}").replace("-", MINUS)


def whole(number: float | None) -> str:
    """Return a whole number with commas.

    >>> whole(118211)
    '118,211'
    """
    return NOTHING if number is None else f"{number:,.0f}"


def amount(number: float) -> str:
    """Return a large number in three digits.

    >>> amount(5_812_000), amount(940)
    ('5.8 M', '940')
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}" if number < 100 * size else f"{number / size:.0f} {unit}"
    return f"{number:.0f}"


def duration(seconds: float | None) -> str:
    """Return a time in words.

    >>> duration(42), duration(600), duration(8000), duration(200_000)
    ('42 s', '10 min', '2 h 13 min', '2 d 7 h')
    """
    if seconds is None:
        return NOTHING
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def count(number: int, noun: str) -> str:
    """Return a number of things.

    >>> count(1, "task"), count(4, "task")
    ('1 task', '4 tasks')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def moment(value: datetime) -> str:
    """Return a moment in UTC to the minute.

    >>> moment(datetime(2026, 11, 30, 8, 5))
    '2026-11-30 08:05 UTC'
    """
    return f"{value:%Y-%m-%d %H:%M} UTC"


def size(count_of_bytes: int) -> str:
    """Return a number of bytes in three digits.

    >>> size(312), size(1_400_000)
    ('312 B', '1.4 MB')
    """
    return f"{amount(count_of_bytes)}B" if count_of_bytes >= 1000 else f"{count_of_bytes} B"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "percent": percent,
    "points": points,
    "bound": bound,
    "threshold": threshold,
    "whole": whole,
    "amount": amount,
    "duration": duration,
    "count": count,
    "moment": moment,
    "size": size,
}
"""Filters of the templates."""
