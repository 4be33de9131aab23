"""F1 of detected events and of segments: macro over the classes of events that have references.

Mesaros, Heittola and Virtanen, Metrics for polyphonic sound event detection, Applied Sciences 6(6), 2016. What is a hit
says `taskgraft.evaluators.event_matching`.
"""

from dataclasses import dataclass

import numpy as np

from taskgraft.evaluators.metrics.class_counts import ClassCounts, OfClassCounts, about, macro_f1
from taskgraft.evaluators.metrics.metric import Both, Floats, Metric
from taskgraft.evaluators.outcomes import EVENTS, SEGMENTS, Outcomes, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionF1(OfClassCounts):
    """``2 TP / (2 TP + FP + FN)`` of every class that has references, and the mean of them; 0 without any."""

    def value(self, sums: Floats) -> Floats:
        """Return F1 [...] of hits, references and detections by class [..., 3 k]."""
        found: Floats = np.nan_to_num(OfClassCounts.value(self, sums))
        return found

    def influences(self, statistics: Floats) -> tuple[float, Floats]:
        """Return F1, and how far each row moves it; the only clip of a class may not be left out, so by derivative."""
        return Metric.influences(self, statistics)

    def rounding(self, answers: float, reach: float) -> float:
        """Return the variance that steps of so many answers alone explain (Sheppard)."""
        return Metric.rounding(self, answers, reach)

    def chance(self, outcomes: Outcomes) -> float:
        """Return 0: whoever says the same about every clip finds nothing in its place."""
        return 0.0

    def shares_right(self, rows: Both, totals: Both) -> Both:
        """Return the F1 of each row, all classes together; 1 for one without events that finds none."""
        baseline, model = map(_f1_of_rows, rows)
        return baseline, model

    def outside(self, rows: Both, total: Floats, answers: float) -> Both:
        """Return events of the rarest class: found, and missed, with as many detections elsewhere."""
        labelled = ClassCounts.of(total).labelled
        rarest = np.where(labelled > 0, labelled, np.inf).argmin()
        return about(len(labelled), rarest, rarest, answers)

    def nearly_right(self, clips: int) -> Outcomes:
        """Return outcomes in which every event is found."""
        ones = np.ones(clips)
        return Outcomes({name: Table.of(np.arange(clips), 0 * ones, ones, ones, ones) for name in self.tables})


def _f1_of_rows(rows: Floats) -> Floats:
    counts = ClassCounts.of(rows)
    there = counts.labelled.sum(-1) + counts.answered.sum(-1)
    found: Floats = np.divide(2 * counts.right.sum(-1), there, out=np.ones_like(there), where=there > 0)
    return found


_KINDS = frozenset({"events"})

EVENT_F1 = DetectionF1(name="event_f1", tables=(EVENTS,), kinds=_KINDS, formula=macro_f1)
SEGMENT_F1 = DetectionF1(name="segment_f1", tables=(SEGMENTS,), kinds=_KINDS, formula=macro_f1)
