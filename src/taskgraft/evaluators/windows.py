"""Windows of one fixed length over clips of any length. Plain numpy: evaluation and prediction cut alike.

Notation: ``w`` windows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows over a list of clips, clip by clip in order of time; all columns [w], times in frames."""

    places: NDArray[np.int64]
    """The clip's place in the list."""
    starts: NDArray[np.int64]
    """First frame: a multiple of the time stride, so that the time steps of all windows lie on one grid."""
    stale: NDArray[np.int64]
    """Frames at the window's beginning that the window before it has too."""


def cut_windows(lengths: NDArray[np.int32], crop: int, stride: int) -> Windows:
    """Cover clips of ``lengths`` frames by windows of ``crop`` frames, ``crop`` a multiple of ``stride``.

    A clip no longer than a crop has one window. The last window of a longer clip ends with the clip, or less than one
    stride behind it, and overlaps the window before it.
    """
    counts = np.maximum(1, -(-lengths.astype(np.int64) // crop))
    places = np.repeat(np.arange(len(lengths)), counts)
    ordinal = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    fresh = ordinal * crop
    beyond = np.maximum(lengths[places].astype(np.int64) - crop, 0)
    starts = np.minimum(fresh, -(-beyond // stride) * stride)
    return Windows(places, starts, fresh - starts)
