"""Labels of frames: the rows of a feature pack that lie in regions of sound. Plain numpy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.segments import Region
from taskgraft.evaluators.datasets.targets import MISSING

if TYPE_CHECKING:
    from taskgraft.evaluators.features import FeaturePack


def frame_rows(
    regions: Sequence[Sequence[Region]], labelled: NDArray[np.bool_], pack: "FeaturePack", frames_per_second: float
) -> NDArray[np.int8]:
    """Return 1 for each row [rows] whose centre lies in a region of its clip, and 0 for others of labelled clips.

    ``regions`` has those of every clip; row 0 of the pack, which is silence, and clips without labels are `MISSING`.
    """
    rows = np.full(1 + int(pack.lengths.sum(dtype=np.int64)), MISSING, np.int8)
    for clip in np.flatnonzero(labelled).tolist():
        centres = np.arange(pack.lengths[clip]) / frames_per_second
        inside = np.zeros(len(centres), np.int8)
        for onset, offset in regions[clip]:
            inside[(centres >= onset) & (centres < offset)] = 1
        rows[pack.starts[clip] : pack.starts[clip] + len(inside)] = inside
    return rows


def rows_of(clips: NDArray[np.int32], pack: "FeaturePack") -> NDArray[np.int64]:
    """Return the rows of some clips, one clip after the other."""
    parts = [np.arange(pack.starts[clip], pack.starts[clip] + pack.lengths[clip]) for clip in clips]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
