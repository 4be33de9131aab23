"""How a cell of the reduction matrix stands to a threshold."""

from enum import StrEnum
from typing import Protocol


class MeasuredCell(Protocol):
    """AR of a pair of tasks at one depth, as the public API shows it."""

    @property
    def task_a(self) -> str:
        """The first task of the pair."""

    @property
    def task_b(self) -> str:
        """The second one."""

    @property
    def depth(self) -> int:
        """How many blocks the two share."""

    @property
    def ar(self) -> float:
        """The reduction, a fraction."""

    @property
    def ar_interval(self) -> tuple[float, float] | None:
        """Its 95 % interval, if it is known."""

    @property
    def at_most(self) -> bool:
        """Whether the reduction is an upper bound."""


class Standing(StrEnum):
    """How a measured cell stands to a threshold."""

    KEPT = "kept"
    """AR and the upper end of its interval are within it."""
    OPEN = "open"
    """AR is within it, the upper end of its interval is not."""
    BROKEN = "broken"
    """AR is above it."""

    @property
    def words(self) -> str:
        """What a legend calls it."""
        return _WORDS[self]


_WORDS = {
    Standing.KEPT: "keeps the threshold",
    Standing.OPEN: "open: the interval crosses it",
    Standing.BROKEN: "breaks the threshold",
}


def standing(cell: MeasuredCell, ar_threshold: float) -> Standing:
    """Return how a cell stands to a threshold; one without an interval is judged by its AR alone."""
    if cell.ar > ar_threshold:
        return Standing.BROKEN
    crosses = cell.ar_interval is not None and cell.ar_interval[1] > ar_threshold
    return Standing.OPEN if crosses else Standing.KEPT
