"""The protocol of metrics: sums over clips, and a value that follows from them. Plain numpy.

A metric reads one of the tables of `Outcomes` and turns the answers about each clip into a row of numbers, its
statistics. The metric of any set of clips, however often each counts, is a function of the sums of these rows: that is
why a bootstrap over clips is a product of weights and statistics.

Notation: ``n`` rows (clips, or groups of clips), ``d`` statistics, ``b`` resamples. Equations: docs/statistics.md.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.outcomes import Outcomes, Table

Floats = NDArray[np.float64]
Both = tuple[Floats, Floats]
"""Of a baseline, and of a model."""

_STEP = 1e-4
"""Of central differences, in clips: far below one, far above rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(ABC):
    """A metric of one task.

    ``tables`` are those that it can be read from, ``kinds`` the kinds of tasks that may be judged by it. ``best`` is
    the value of a model without errors, ``worst`` the lowest value there is, None for an error, which has no limit. A
    metric that ``is_share`` is noisy as a share of right answers is, and is shown in per cent. For one that is
    ``over_classes``, a mean over classes, classes count the same in the loss, too (``class_weights: auto``).
    """

    name: str
    tables: tuple[str, ...]
    kinds: frozenset[str]
    higher_is_better: bool = True
    best: float = 1.0
    worst: float | None = 0.0
    is_share: bool = True
    over_classes: bool = False

    def is_in(self, outcomes: Outcomes) -> bool:
        """Return whether there is a table that the metric can be read from."""
        return any(name in outcomes.tables for name in self.tables)

    def table(self, outcomes: Outcomes) -> Table:
        """Return the table that the metric is read from; `is_in` says whether there is one."""
        return next(outcomes.tables[name] for name in self.tables if name in outcomes.tables)

    @abstractmethod
    def size(self, table: Table) -> int:
        """Return how many classes, or questions, a table has; tables that are compared take the largest."""

    @abstractmethod
    def statistics(self, table: Table, rows: NDArray[np.intp], count: int, size: int) -> Floats:
        """Return statistics [count, d]; ``rows`` says for each line of the table which of these rows it belongs to."""

    def by_clip(self, outcomes: Outcomes, clips: NDArray[np.int32], size: int) -> Floats:
        """Return statistics [n, d] of the ascending ``clips``."""
        table = self.table(outcomes)
        return self.statistics(table, np.searchsorted(clips, table.clips), len(clips), size)

    @abstractmethod
    def value(self, sums: Floats) -> Floats:
        """Return the metric [...] of sums of statistics [..., d]."""

    @abstractmethod
    def chance(self, outcomes: Outcomes) -> float:
        """Return what the best model comes to that always gives the same answer."""

    @abstractmethod
    def answers(self, sums: Floats) -> Floats:
        """Return the number of true answers [...] that sums of statistics [..., d] are about."""

    @abstractmethod
    def shares_right(self, rows: Both, totals: Both) -> Both:
        """Return the share of each row [n] that is right, 1 if a row has no answer; of baseline and model."""

    @abstractmethod
    def outside(self, rows: Both, total: Floats, answers: float) -> Both:
        """Return statistics [1, d] of a unit outside the split: answered right, and the same answered wrong (eq. 18).

        ``rows`` [n, d] are those of baseline and model, ``total`` [d] is the sum of the baseline, and ``answers`` is
        how many answers the unit has.
        """

    @abstractmethod
    def nearly_right(self, clips: int) -> Outcomes:
        """Return made-up outcomes that are far above chance, and have an AR."""

    @property
    def width(self) -> int:
        """How many numbers a resample takes at least, if that is many."""
        return 1

    def resampled(self, weights: Floats, statistics: Floats) -> Floats:
        """Return sums [b, d] of statistics [n, d] in which row n stands ``weights[b, n]`` times."""
        sums: Floats = weights @ statistics
        return sums

    def influences(self, statistics: Floats) -> tuple[float, Floats]:
        """Return the metric, and how far each row moves it [n] (eq. 2).

        By the infinitesimal jackknife: the derivative of the metric by the weight of a row, times the rows (Efron and
        Tibshirani 1993, section 21.3); central differences.
        """
        total = self.resampled(np.ones((1, len(statistics))), statistics)
        up, down = (
            np.concatenate([self.value(total + step * part) for part in _parts(statistics)]) for step in (_STEP, -_STEP)
        )
        return float(self.value(total)[0]), len(statistics) * (up - down) / (2 * _STEP)

    def rounding(self, answers: float, reach: float) -> float:
        """Return the variance that steps of so many answers alone explain (Sheppard); ``reach``: see `Repeats`."""
        return (reach / answers) ** 2 / 12

    def standard_error(self, value: float, clips: int) -> float:
        """Return the standard error of a share of ``clips`` answers, drawn towards 1/2 so that it is never 0.

        Source: Agresti and Coull, Approximate is better than "exact", 1998.
        """
        share = (value * clips + 2) / (clips + 4)
        return math.sqrt(share * (1 - share) / (clips + 4))

    def error_at_chance(self, clips: int) -> float:
        """Return the least standard error of a model that learnt nothing, if its own answers do not show it."""
        return 0.0

    def shown(self, value: float, digits: int = 1) -> str:
        """Return a value as people read it: shares in per cent, with so many digits."""
        return f"{100 * value:.{digits}f} %" if self.is_share else f"{value:.{digits + 2}f}"

    def better(self, value: float) -> float:
        """Return the value so that larger is better."""
        return value if self.higher_is_better else -value

    def reduction(self, baseline: float, value: float) -> float:
        """Return the signed reduction against a baseline above 0: below 0 if the task gains."""
        return (baseline - value) / baseline if self.higher_is_better else (value - baseline) / baseline

    def resampled_reduction(self, baseline: Floats, value: Floats) -> Floats:
        """Return ``1 - m / b``, for errors ``m / b - 1``; 1 if the baseline is not above 0."""
        ratio = np.divide(value, baseline, out=np.zeros(np.broadcast(value, baseline).shape), where=~(baseline <= 0))
        if self.higher_is_better:
            return 1 - ratio
        reduction: Floats = np.where(baseline <= 0, 1.0, ratio - 1)
        return reduction

    def __str__(self) -> str:
        return self.name


_CELLS = 4_000_000
"""Numbers that are worked on at a time: 32 MB."""


def _parts(statistics: Floats) -> list[Floats]:
    return np.array_split(statistics, max(1, statistics.size // _CELLS))


def ratio(part: Floats, whole: Floats) -> Floats:
    """Divide part by whole; nan if there is nothing to divide by."""
    found: Floats = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
    return found


def mean_over(values: Floats, present: NDArray[np.bool_]) -> Floats:
    """Return the mean over the last axis of what is ``present``; nan if nothing is."""
    return ratio(np.where(present, np.nan_to_num(values), 0.0).sum(-1), present.sum(-1).astype(np.float64))


def summed(rows: NDArray[np.intp], columns: NDArray[np.intp], counts: Floats, shape: tuple[int, int]) -> Floats:
    """Return a table of ``shape`` in which every count was added at its row and column."""
    return np.bincount(rows * shape[1] + columns, counts, shape[0] * shape[1]).astype(np.float64).reshape(shape)
