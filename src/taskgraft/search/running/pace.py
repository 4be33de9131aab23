"""How long the rest of a study takes: trainings that are left, times the seconds that trainings took so far.

Notation: ``W`` workers; a range is (at least, at most) in wall seconds.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.strategies.remaining import Left

_DEVIATION = 0.15
"""By how much the seconds of equal trainings differ at least, as a share: depths differ, and so does the machine."""
_MOST_ERROR = 1.0
"""Of the mean seconds of a training, as a share."""
USUAL_SHARE, _SHARE_DEVIATION = 0.7, 0.25
"""Which part of its steps a question takes; counts like one that was measured."""
_EXPORT_SECONDS = (2.0, 15.0)
"""The final report and the export after the last training."""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pace:
    """What trainings took, by how many tasks they had: seconds, and the share of the planned steps that were taken.

    With ``has_phases``, tasks are trained one after the other, and the seconds are those of one of them.
    """

    took: dict[int, tuple[tuple[float, float], ...]]
    has_phases: bool = False

    @classmethod
    def of(
        cls, measurements: Iterable[Measurement], stretches: Iterable[float] | None = None, *, has_phases: bool = False
    ) -> "Pace | None":
        """Return the pace of finished trainings; None if there are none.

        While a study looks for its training length, they differ in it: each is counted as one of the first length,
        ``stretches`` times as short.
        """
        took: dict[int, list[tuple[float, float]]] = {}
        for measured, stretch in zip(measurements, stretches or repeat(1.0), strict=False):
            tasks = len(measured.metrics)
            phase = measured.seconds / stretch / (tasks if has_phases else 1)
            took.setdefault(tasks, []).append((phase, measured.share))
        return cls({tasks: tuple(figures) for tasks, figures in took.items()}, has_phases) if took else None

    def phases(self, tasks: int) -> int:
        """Return how many times a training of so many tasks takes the planned steps."""
        return tasks if self.has_phases else 1

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of steps that trainings of two tasks or more took."""
        return tuple(share for tasks, figures in self.took.items() if tasks > 1 for _, share in figures)

    def full(self, tasks: int) -> Range:
        """Return the range of a training of so many tasks that takes all its steps.

        If none was measured, those of the nearest number of tasks stand for it: a further task is taken to cost up to
        half as much as the first, since tasks share blocks; a phase of it, if there are phases.
        """
        nearest = min(self.took, key=lambda known: (abs(known - tasks), known))
        seconds, shares = np.array(self.took[nearest]).T
        middle = float(seconds.sum() / shares.sum())  # long trainings count more: short ones hardly get started
        residual = float(np.sqrt(np.average((seconds / shares / middle - 1) ** 2, weights=shares)))
        error = min(_MOST_ERROR, 2 * max(_DEVIATION, residual) / math.sqrt(len(seconds)))
        more, phases = 1 + (tasks / nearest - 1) / 2, self.phases(tasks)
        low, high = middle * max(0.5, 1 - error) * min(1.0, more), middle * (1 + error) * max(1.0, more)
        return phases * low, phases * high

    def share(self, questions: float) -> Range:
        """Return the range of the mean share of steps that so many questions take (two standard errors)."""
        shares = (USUAL_SHARE, *self.shares)
        deviation = max(_SHARE_DEVIATION / 2, float(np.std(shares))) if len(shares) > 1 else _SHARE_DEVIATION
        error = 2 * deviation * math.sqrt(1 / len(shares) + 1 / max(1.0, questions))
        return max(0.1, float(np.mean(shares)) - error), min(1.0, float(np.mean(shares)) + error)


def seconds_left(left: Left, pace: Pace, tasks: int, workers: int, under_way: Sequence[float] = ()) -> Range:
    """Return how long ``workers`` workers take for the trainings that are left, with the export after them.

    ``tasks`` is the study's number of tasks, ``under_way`` the share done of each training that runs. The upper end is
    Graham's bound for list scheduling: the work over W, and (1 - 1/W) of the longest chain (Bounds on Multiprocessing
    Timing Anomalies, SIAM Journal on Applied Mathematics 17(2), 1969). While the training length is open, the lower end
    has the shortest that is possible, the upper end the longest.
    """
    alone, pair, tree = pace.full(1), pace.full(min(2, tasks)), pace.full(tasks)
    # A tree may fall into parts that were trained already; as long as one task takes is little enough for that.
    least_tree = tree[0] / pace.phases(tasks)
    short, long = left.length.stretch
    share = [pace.share(questions)[end] for end, questions in enumerate(left.questions)]
    is_open = left.length.work[0] > 0
    known = left.length.work[0] - sum(under_way) * left.length.longest if is_open else 0.0
    least = max(0.0, known) * alone[0] / workers + short * _least(
        left, alone[0], pair[0] * share[0], least_tree, workers, () if is_open else under_way
    )
    work, chain = left.length.work[1] * alone[1], left.length.chain * alone[1]
    most = (
        work / workers + (1 - 1 / workers) * chain + long * _most(left, alone[1], pair[1], share[1], tree[1], workers)
    )
    return _EXPORT_SECONDS[0] + least, _EXPORT_SECONDS[1] + most


def _least(left: Left, alone: float, question: float, tree: float, workers: int, under_way: Sequence[float]) -> float:
    """Return the seconds if no training ever waits for a worker; what is under way is partly done."""
    done, trees = sum(under_way), left.verifications[0]
    if not left.baselines and not left.questions[0]:
        return max(0.0, trees - done) * tree
    work = left.baselines * alone + left.questions[0] * question - done * max(alone, question)
    return max(0.0, work) / workers + trees * tree


def _most(left: Left, alone: float, pair: float, share: float, tree: float, workers: int) -> float:
    work = left.baselines * alone + left.questions[1] * pair * share
    chain = (alone if left.baselines else 0.0) + min(left.longest, left.questions[1]) * pair
    return work / workers + (1 - 1 / workers) * chain + left.verifications[1] * tree
