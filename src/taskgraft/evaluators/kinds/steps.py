"""Time steps of windows: which of them make up a recording, and when what is detected begins and ends. Plain numpy.

Notation: ``w`` windows, ``s`` time steps of a window, ``t`` time steps of the recording.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.segments import Region
from taskgraft.evaluators.windows import Windows


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """How the windows of a recording lie in time.

    A time step of ``stride`` frames takes ``step_seconds`` and stands in the middle of its time. The recording takes
    ``seconds``.
    """

    windows: Windows
    stride: int
    step_seconds: float
    seconds: float

    def join(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the steps of the recording [t, ...], each once, of its windows' ``outputs`` [w, s, ...]."""
        fresh = [row[stale // self.stride :] for row, stale in zip(outputs, self.windows.stale, strict=True)]
        return np.concatenate(fresh)[: max(1, int(np.ceil(self.seconds / self.step_seconds)))]  # the rest is padding

    def regions(self, detected: NDArray[np.bool_]) -> tuple[Region, ...]:
        """Return when something is detected, in seconds, of the recording's steps [t]."""
        return regions_of(detected, self.step_seconds, self.seconds)


def regions_of(detected: NDArray[np.bool_], step_seconds: float, seconds: float) -> tuple[Region, ...]:
    """Return the stretches of ``detected`` [t] in seconds, within a recording of ``seconds``.

    >>> regions_of(np.array([False, True, True, False]), 1.0, 4.0)
    ((0.5, 2.5),)
    """
    changes = np.flatnonzero(np.diff(np.concatenate([[False], detected, [False]])))
    # A step stands in the middle of its time, so that it begins half a step earlier.
    times = np.clip((changes - 0.5) * step_seconds, 0.0, seconds).reshape(-1, 2)
    return tuple((float(onset), float(offset)) for onset, offset in times)
