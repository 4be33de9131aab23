"""Label columns that say yes or no."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.targets import MISSING, named

_WORDS = {"yes": 1, "true": 1, "1": 1, "present": 1, "no": 0, "false": 0, "0": 0, "absent": 0}
RULE = "yes or no (true or false, 1 or 0, present or absent), or nothing if it is not known"


def other_words(cells: Iterable[str]) -> str | None:
    """Return the cells that say neither yes nor no, for a message; None if there are none."""
    others = sorted({cell for cell in cells if cell and cell.lower() not in _WORDS})
    return named(others) if others else None


def to_answers(cells: Sequence[str]) -> NDArray[np.int8]:
    """Return 1 for yes, 0 for no and `MISSING` for an empty cell [clips]; other words are not allowed.

    >>> to_answers(["yes", "", "0"]).tolist()
    [1, -1, 0]
    """
    return np.fromiter((_WORDS[cell.lower()] if cell else MISSING for cell in cells), np.int8, len(cells))
