"""Hits, misses and false alarms of detected events: by event, and by segments of fixed length. Plain numpy.

Mesaros, Heittola and Virtanen, Metrics for polyphonic sound event detection, Applied Sciences 6(6), 2016; the counts
are those of sed_eval 0.2.1 with ``event_matching_type="optimal"``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.outcomes import Table

Counts = NDArray[np.int64]
"""Of each class of events [k, 4]: hits, misses, false alarms, and where nothing was and nothing was found."""

COLLAR = 0.2
"""How far an onset may be off, in seconds; an offset also by `SHARE` of the event's length."""
SHARE = 0.2
SEGMENT = 1.0
"""Length of a segment, in seconds."""
_ROUNDING = 1e-9
"""Of times, in seconds: 2.2 - 2.0 is within 0.2."""
_PAIRS = ((1, 1), (1, 0), (0, 1), (0, 0))
"""Truth and answer of each column of `Counts`."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a class, in seconds from the start of its clip.

    Raises:
        InvalidInput: it ends before it starts, or a time or class is below 0.
    """

    label: int
    onset: float
    offset: float

    def __post_init__(self) -> None:
        if not (self.label >= 0 and 0 <= self.onset <= self.offset < math.inf):
            raise InvalidInput.at(
                "event",
                f"a class of 0 or more, and 0 <= onset <= offset; got {self.label}, {self.onset}, {self.offset}",
            )

    @property
    def length(self) -> float:
        """Its length in seconds."""
        return self.offset - self.onset


def event_counts(references: Sequence[Event], detected: Sequence[Event], classes: int) -> Counts:
    """Return the counts [k, 4] of one clip by event.

    A detection may be a hit if its onset is within `COLLAR` of a reference of its class, and its offset within the
    larger of `COLLAR` and `SHARE` of the reference's length. Each reference and each detection counts once: as many as
    can be are matched (maximum bipartite matching; Hopcroft and Karp 1973). A class without either counts as one place
    where nothing was found.
    """
    counts = np.zeros((classes, len(_PAIRS)), np.int64)
    for label in range(classes):
        real, found = ([event for event in events if event.label == label] for events in (references, detected))
        hits = _matched(real, found)
        counts[label] = hits, len(real) - hits, len(found) - hits, not (real or found)
    return counts


def _matched(references: Sequence[Event], detected: Sequence[Event]) -> int:
    if not references or not detected:
        return 0
    fits = np.array([[_fits(reference, found) for found in detected] for reference in references])
    return int((maximum_bipartite_matching(csr_array(fits)) >= 0).sum())


def _fits(reference: Event, found: Event) -> bool:
    end = max(COLLAR, SHARE * reference.length)
    starts = abs(reference.onset - found.onset) <= COLLAR + _ROUNDING
    return starts and abs(reference.offset - found.offset) <= end + _ROUNDING


def segment_counts(references: Sequence[Event], detected: Sequence[Event], classes: int, seconds: float) -> Counts:
    """Return the counts [k, 4] of one clip of so many seconds by segments of `SEGMENT`.

    A class is there in each segment that one of its events touches.
    """
    every = (*references, *detected)
    segments = max(1, _segment_after(max([seconds, *(event.offset for event in every)])))
    real, found = (_active(events, classes, segments) for events in (references, detected))
    counts: Counts = np.stack([real & found, real & ~found, ~real & found, ~real & ~found], axis=-1).sum(axis=1)
    return counts


def _segment_after(time: float) -> int:
    return math.ceil((time - _ROUNDING) / SEGMENT)


def _active(events: Sequence[Event], classes: int, segments: int) -> NDArray[np.bool_]:
    """Return [k, segments] where each class is there."""
    active = np.zeros((classes, segments), np.bool_)
    for event in events:
        active[event.label, math.floor((event.onset + _ROUNDING) / SEGMENT) : _segment_after(event.offset)] = True
    return active


def detection_table(counts: Mapping[int, Counts]) -> Table:
    """Return the counts of clips, by number, as a table; every clip has a row."""
    clips = np.array(sorted(counts), np.int32)
    every = np.stack([counts[clip] for clip in clips.tolist()]) if counts else np.zeros((0, 1, len(_PAIRS)), np.int64)
    clip, label, column = np.nonzero(every)
    truth, predicted = np.array(_PAIRS)[column].reshape(-1, 2).T
    return Table.of(clips[clip], label, truth, predicted, every[clip, label, column])
