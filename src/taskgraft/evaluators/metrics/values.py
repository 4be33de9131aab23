"""Metrics of numbers: how well predicted values agree with the true ones. Each is the mean over questions.

Notation: ``l`` questions; ``x`` true and ``y`` predicted values.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.metrics.metric import Both, Floats, Metric, mean_over, ratio, summed
from taskgraft.evaluators.outcomes import VALUES, Outcomes, Table

_COLUMNS = 7


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over answers, each [..., l]: how many there are, x, y, x^2, y^2, x y and ``|x - y|``."""

    count: Floats
    x: Floats
    y: Floats
    xx: Floats
    yy: Floats
    xy: Floats
    error: Floats

    @classmethod
    def of(cls, sums: Floats) -> "Moments":
        """Return the parts of statistics [..., 7 l]."""
        parts = sums.reshape(*sums.shape[:-1], _COLUMNS, -1)
        return cls(*(parts[..., part, :] for part in range(_COLUMNS)))

    @classmethod
    def one(cls, x: float, y: float, label: int, size: int, count: float) -> Floats:
        """Return statistics [1, 7 l] of ``count`` equal answers to one question."""
        parts = np.zeros((_COLUMNS, size))
        parts[:, label] = 1, x, y, x * x, y * y, x * y, abs(x - y)
        return count * parts.reshape(1, -1)


def concordance(moments: Moments) -> Floats:
    """Return Lin's concordance, ``2 cov / (var_x + var_y + (mean_x - mean_y)^2)``; 0 if all is constant and equal.

    Lin, Biometrics 45(1), 1989; moments are divided by n.
    """
    x, y = ratio(moments.x, moments.count), ratio(moments.y, moments.count)
    covariance = ratio(moments.xy, moments.count) - x * y
    apart = ratio(moments.xx + moments.yy - 2 * moments.xy, moments.count)  # var_x + var_y + (x - y)^2 - 2 cov
    agreed = np.nan_to_num(ratio(2 * covariance, apart + 2 * covariance))
    return np.nan_to_num(mean_over(agreed, moments.count > 0))


def mean_absolute_error(moments: Moments) -> Floats:
    """Return the mean of ``|x - y|``."""
    return mean_over(ratio(moments.error, moments.count), moments.count > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfValues(Metric):
    """A metric of moments of true and predicted values. Statistics: `Moments` [7 l]."""

    formula: Callable[[Moments], Floats]
    is_share: bool = False

    def size(self, table: Table) -> int:
        """Return the number of questions."""
        return table.questions

    def statistics(self, table: Table, rows: NDArray[np.intp], count: int, size: int) -> Floats:
        """Return moments [count, 7 l]."""
        x, y = table.truth.astype(np.float64), table.predicted.astype(np.float64)
        counts, labels = table.counts.astype(np.float64), table.labels.astype(np.intp)
        columns = (np.ones_like(x), x, y, x * x, y * y, x * y, abs(x - y))
        return np.concatenate([summed(rows, labels, counts * column, (count, size)) for column in columns], axis=1)

    def value(self, sums: Floats) -> Floats:
        """Return the metric [...] of moments [..., 7 l]."""
        return self.formula(Moments.of(sums))

    def chance(self, outcomes: Outcomes) -> float:
        """Return 0: a constant agrees with nothing."""
        return 0.0

    def answers(self, sums: Floats) -> Floats:
        """Return the number of answers [...]."""
        answers: Floats = Moments.of(sums).count.sum(-1)
        return answers

    def shares_right(self, rows: Both, totals: Both) -> Both:
        """Return 1 less the mean error of each row, as a share of the largest of all; by question, the worst counts."""
        errors = [_mean_errors(side) for side in rows]
        largest = np.maximum(*(error.max(axis=0) for error in errors))
        baseline, model = (1 - np.nan_to_num(ratio(error, np.broadcast_to(largest, error.shape))) for error in errors)
        return baseline.min(axis=-1), model.min(axis=-1)

    def outside(self, rows: Both, total: Floats, answers: float) -> Both:
        """Return what is said in the unit with the largest mean error of both sides: the truth, and that again."""
        every = np.concatenate(rows)
        errors = _mean_errors(every)
        place, label = np.unravel_index(errors.argmax(), errors.shape)
        moments, size = Moments.of(every[place]), errors.shape[1]
        x, y = (float(sums[label] / max(moments.count[label], 1e-9)) for sums in (moments.x, moments.y))
        right, wrong = (Moments.one(x, said, int(label), size, answers) for said in (x, y))
        return right, wrong

    def nearly_right(self, clips: int) -> Outcomes:
        """Return values with small errors: a model without any has no AR by its errors."""
        truth = np.linspace(0, 1, clips)
        return Outcomes({VALUES: Table.of(np.arange(clips), 0 * truth, truth, truth + 0.01, np.ones(clips))})


def _mean_errors(rows: Floats) -> Floats:
    """Return the mean absolute error of each row by question [n, l]; 0 without answers."""
    moments = Moments.of(rows)
    errors: Floats = np.nan_to_num(ratio(moments.error, moments.count))
    return errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Concordance(OfValues):
    """Lin's concordance: 1 for equal values, 0 for a constant, -1 at worst."""

    formula: Callable[[Moments], Floats] = concordance
    worst: float | None = -1.0

    def standard_error(self, value: float, clips: int) -> float:
        """Return the standard error of a correlation, at least: that of the share ``(1 + value) / 2``, doubled."""
        return 2 * Metric.standard_error(self, (1 + value) / 2, clips)

    def error_at_chance(self, clips: int) -> float:
        """Return the standard error of the correlation of what has nothing to do with each other (Fisher 1915).

        Nearly constant answers have a concordance near 0 whose own error is far smaller.
        """
        return 1 / math.sqrt(clips - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsoluteError(OfValues):
    """The mean absolute error, in the unit of the values: lower is better."""

    formula: Callable[[Moments], Floats] = mean_absolute_error
    higher_is_better: bool = False
    best: float = 0.0
    worst: float | None = None

    def chance(self, outcomes: Outcomes) -> float:
        """Return the error of always answering the median of a question."""
        table = self.table(outcomes)
        said = np.zeros_like(table.truth)
        for label in np.unique(table.labels):
            mine = table.labels == label
            said[mine] = np.median(np.repeat(table.truth[mine], table.counts[mine]))
        rows = np.zeros(len(said), np.intp)
        constant = Table(table.clips, table.labels, table.truth, said, table.counts)
        return float(self.value(self.statistics(constant, rows, 1, self.size(constant)))[0])

    def standard_error(self, value: float, clips: int) -> float:
        """Return the standard error of a mean of ``clips`` errors that deviate as much as they are large."""
        return value / math.sqrt(clips)


_KINDS = frozenset({"value"})

CONCORDANCE = Concordance(name="concordance", tables=(VALUES,), kinds=_KINDS)
MEAN_ABSOLUTE_ERROR = AbsoluteError(name="mean_absolute_error", tables=(VALUES,), kinds=_KINDS)
