"""How a cell of the reduction matrix stands to a threshold."""

from enum import StrEnum

from taskgraft.api.schemas import CellView


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


def standing(cell: CellView, ar_threshold: float) -> Standing:
    """Return how a cell stands to a threshold; one without an interval is judged by its AR alone."""
    if cell.ar > ar_threshold:
        return Standing.BROKEN
    crosses = cell.ar_interval is not None and cell.ar_interval[1] > ar_threshold
    return Standing.OPEN if crosses else Standing.KEPT
