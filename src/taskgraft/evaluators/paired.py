"""How much each task loses between its baseline and a model, with one-sided bounds: the paired Bayesian bootstrap.

Plain numpy. Notation: ``b`` resamples, ``u`` units (clips, or groups of clips), ``d`` statistics. Equations are those
of docs/statistics.md.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import METRICS, Metric
from taskgraft.evaluators.metrics.metric import Both

Floats = NDArray[np.float64]

RESAMPLES = 10_000
_FEW_UNITS = 20
"""So few units may be far from having shown the worst; chosen by simulation (docs/statistics.md)."""
_CELLS = 4_000_000
"""Weights that are drawn at a time: 32 MB."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What the choice of seeds does to a mean metric: its standard deviation, and how well that is known."""

    deviation: float
    degrees_of_freedom: float

    def draw(self, generator: np.random.Generator, count: int) -> Floats:
        """Draw shifts [count] of the metric."""
        if math.isinf(self.deviation):
            return np.full(count, np.nan)
        return self.deviation * generator.standard_t(self.degrees_of_freedom, count)


@dataclass(frozen=True, slots=True, eq=False)
class PairedAnswers:
    """What one task's baseline and the model said about the same clips, one entry per repeat (seed).

    Tasks of the same ``corpus`` are labels of the same clips. ``groups`` has the group of every clip of the corpus;
    without it every clip is a group of its own. The spreads are about the mean over seeds; None when the question is
    about these trained models alone.
    """

    corpus: str
    metric: str
    baseline: Sequence[Outcomes]
    model: Sequence[Outcomes]
    groups: NDArray[np.int64] | None = None
    baseline_spread: Spread | None = None
    model_spread: Spread | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Signed reduction of one task, ``1 - m / b``, and its one-sided bounds.

    An upper bound of an error that nothing is known of is 1; a true one may be above that.
    """

    reduction: float
    lower: float
    upper: float
    units: int
    """Independent units that the bounds rest on: clips, or groups of clips."""


class PairedBootstrap:
    """Resampled reductions of several tasks; tasks of one corpus share their resampled units.

    Each unit of a corpus gets a standard exponential weight (Rubin, The Bayesian bootstrap, Annals of Statistics 9,
    1981), and so does one more unit that the split happens not to hold: for upper bounds one that only the baseline
    gets right, for lower bounds one that only the model does (eq. 17 and 18).
    """

    def __init__(self, tasks: Sequence[PairedAnswers], seed: int = 0, resamples: int = RESAMPLES) -> None:
        generator = np.random.default_rng(seed)
        self._comparisons: dict[int, _Comparison] = {}
        self._adverse: dict[int, Floats] = {}
        self._favourable: dict[int, Floats] = {}
        for corpus in dict.fromkeys(task.corpus for task in tasks):
            places = [place for place, task in enumerate(tasks) if task.corpus == corpus]
            table = _Table.of([tasks[place] for place in places])
            draws = [table.draw(generator, size) for size in _chunks(resamples, table.width)]
            for number, place in enumerate(places):
                self._comparisons[place] = table.comparisons[number]
                self._adverse[place] = np.concatenate([adverse[number] for adverse, _ in draws])
                self._favourable[place] = np.concatenate([favourable[number] for _, favourable in draws])

    def draws(self) -> tuple[Floats, Floats]:
        """Return the resampled reductions [tasks, b]: those for upper bounds, and those for lower bounds."""
        places = sorted(self._comparisons)
        return np.stack([self._adverse[one] for one in places]), np.stack([self._favourable[one] for one in places])

    def bounds(self, level: float, lower_level: float) -> list[Bounds]:
        """Return each task's reduction, with an upper bound of error ``level`` and a lower bound of ``lower_level``."""
        return [self._bounds(place, level, lower_level) for place in sorted(self._comparisons)]

    def _bounds(self, place: int, level: float, lower_level: float) -> Bounds:
        comparison = self._comparisons[place]
        lost, units = comparison.reduction, comparison.units
        lower, upper = comparison.least, 1.0 if math.isinf(comparison.most) else comparison.most
        if units > 1 and comparison.can_lose and not np.isnan(self._adverse[place]).any():
            upper = float(np.quantile(self._adverse[place], 1 - expanded(level, units)))
            lower = float(np.quantile(self._favourable[place], expanded(lower_level, units)))
        return Bounds(lost, min(lower, lost), max(min(upper, comparison.most), lost), units)


def expanded(level: float, units: int) -> float:
    """Return the tail that a bound of error ``level`` takes of the resamples; few units give Student's t (eq. 19).

    >>> round(expanded(0.05, 1_000_000), 4), round(expanded(0.05, 20), 4)
    (0.05, 0.0345)
    """
    return float(ndtr(stdtrit(units - 1, level) * math.sqrt((units + 1) / (units - 1))))


def _chunks(resamples: int, width: int) -> Iterator[int]:
    size = max(1, _CELLS // max(width, 1))
    yield from (min(size, resamples - start) for start in range(0, resamples, size))


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Statistics by row [r, d] of every repeat of a baseline, or of a model."""

    metric: Metric
    repeats: tuple[Floats, ...]
    spread: Spread | None

    @property
    def mean(self) -> Floats:
        """Statistics [r, d] of an average repeat."""
        total = self.repeats[0]
        for other in self.repeats[1:]:
            total = total + other
        return total * (1 / len(self.repeats))

    def take(self, rows: NDArray[np.intp]) -> "_Side":
        """Return the statistics of some rows."""
        return _Side(self.metric, tuple(statistics[rows] for statistics in self.repeats), self.spread)

    def resampled(self, weights: Floats) -> "_Side":
        """Return sums by resample [b, d] instead of statistics by row."""
        sums = tuple(self.metric.resampled(weights, statistics) for statistics in self.repeats)
        return _Side(self.metric, sums, self.spread)

    def value(self, extra: Floats) -> Floats:
        """Return the metric of every row, mean over repeats, when ``extra`` statistics are added to each."""
        values: Floats = np.mean([self.metric.value(sums + extra) for sums in self.repeats], axis=0)
        return values


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """One task by rows: both sides, and the answers of a unit that the split happens not to hold (eq. 18)."""

    baseline: _Side
    model: _Side
    units: int
    """Units that have a label of this task."""
    reduction: float
    least: float
    """The reduction of a model that is right everywhere."""
    most: float
    """The reduction of a model that is wrong everywhere; infinite for errors."""
    can_lose: bool
    """Whether the baseline is above 0; if not, the split tells nothing of a reduction."""
    right: Floats
    """Statistics [1, d] of answers that are right."""
    wrong: Floats
    """The same questions, answered wrong."""

    @classmethod
    def of(cls, baseline: _Side, model: _Side, multiplicity: Floats, units: int, clips: int) -> Self:
        metric, everything = baseline.metric, multiplicity[None, :]
        total = baseline.resampled(everything), model.resampled(everything)
        nothing = total[0].mean * 0.0
        alone, shared = (side.value(nothing) for side in total)
        ends = (np.full(1, math.inf if end is None else end) for end in (metric.best, metric.worst))
        lost, least, most = (float(metric.resampled_reduction(alone, value)[0]) for value in (shared, *ends))
        can_lose = bool((alone > 0).any())
        if not can_lose:
            lost, least, most = 0.0, 0.0, 1.0  # there is nothing to lose
        sums = total[0].mean[0], total[1].mean[0]
        rows = baseline.mean, model.mean
        answers = float(metric.answers(sums[0]))
        share = _adverse_share(metric.shares_right(rows, sums), units)
        extra = metric.outside(rows, sums[0], max(answers / clips, share * answers / units))
        return cls(baseline, model, units, lost, least, most, can_lose, *extra)

    def draw(
        self, baseline: "_Side", model: "_Side", extra: Floats, generator: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Draw reductions [b]: with a further unit that only the baseline gets right, and one that only the model does.

        ``baseline`` and ``model`` are the resampled sides, ``extra`` [b, 1] the weights of that unit.
        """
        shifts = [side.spread.draw(generator, len(extra)) if side.spread else 0.0 for side in (baseline, model)]
        metric = baseline.metric
        right, wrong = (metric.resampled(extra, answers) for answers in (self.right, self.wrong))
        return (
            metric.resampled_reduction(baseline.value(right) + shifts[0], model.value(wrong) + shifts[1]),
            metric.resampled_reduction(baseline.value(wrong) + shifts[0], model.value(right) + shifts[1]),
        )


def _adverse_share(right: Both, units: int) -> float:
    """Return the share of a unit outside the split that only one of the two gets right (eq. 18).

    With many units it is the largest difference that was seen in any of them. A few units may not have shown the
    worst: the fewer there are, the nearer it is to the largest share of wrong answers.
    """
    apart = float(np.abs(right[0] - right[1]).max())
    wrong = float(1 - min(share.min() for share in right))
    return apart + min(1.0, _FEW_UNITS / units) * (wrong - apart)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The tasks of one corpus by rows: units that no task tells apart are one row."""

    comparisons: tuple[_Comparison, ...]
    multiplicity: Floats
    """How many units each row stands for [r]."""

    @classmethod
    def of(cls, tasks: Sequence[PairedAnswers]) -> Self:
        clips = np.unique(np.concatenate([said.clips for task in tasks for said in (*task.baseline, *task.model)]))
        groups = tasks[0].groups
        units, unit_of_clip = np.unique(clips if groups is None else groups[clips], return_inverse=True)
        rows_of = _Rows(unit_of_clip, clips, len(units))
        sizes = _sizes(tasks)
        sides = {
            key: rows_of.side(repeats, metric, sizes[metric.tables], spread)
            for task in tasks
            for metric in [METRICS[task.metric]]
            for key, repeats, spread in _sides(task)
        }
        asked = np.stack([rows_of.has(task) for task in tasks], axis=1)
        everything = np.concatenate([*(one for side in sides.values() for one in side.repeats), asked], axis=1)
        _, rows, multiplicity = np.unique(everything, axis=0, return_index=True, return_counts=True)
        merged = {key: side.take(rows) for key, side in sides.items()}
        counted = multiplicity.astype(np.float64)
        comparisons = []
        for task, has in zip(tasks, asked[rows].T, strict=True):
            baseline, model = (merged[key] for key, _, _ in _sides(task))
            of_task = int(counted[has].sum())
            comparisons.append(_Comparison.of(baseline, model, counted, of_task, task.baseline[0].clip_count))
        return cls(tuple(comparisons), counted)

    @property
    def width(self) -> int:
        """How many numbers a resample takes."""
        return max(len(self.multiplicity), *(pair.baseline.metric.width for pair in self.comparisons))

    def draw(self, generator: np.random.Generator, resamples: int) -> tuple[list[Floats], list[Floats]]:
        """Draw reductions of every task, as `_Comparison.draw`."""
        # The sum of the exponential weights of m units has a gamma distribution of shape m.
        weights = generator.standard_gamma(self.multiplicity, (resamples, len(self.multiplicity)))
        extra = generator.standard_exponential((resamples, 1))
        # Several models may be compared with the same baselines.
        sides = {id(side): side for pair in self.comparisons for side in (pair.baseline, pair.model)}
        resampled = {key: side.resampled(weights) for key, side in sides.items()}
        drawn = [
            pair.draw(resampled[id(pair.baseline)], resampled[id(pair.model)], extra, generator)
            for pair in self.comparisons
        ]
        return [adverse for adverse, _ in drawn], [favourable for _, favourable in drawn]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Which unit every clip of a corpus belongs to."""

    unit_of_clip: NDArray[np.intp]
    clips: NDArray[np.int32]
    units: int

    def _of(self, clips: NDArray[np.int32]) -> NDArray[np.intp]:
        rows: NDArray[np.intp] = self.unit_of_clip[np.searchsorted(self.clips, clips)]
        return rows

    def side(self, repeats: Sequence[Outcomes], metric: Metric, size: int, spread: Spread | None) -> _Side:
        """Return statistics by unit [u, d] of every repeat."""
        tables = [metric.table(said) for said in repeats]
        statistics = (metric.statistics(table, self._of(table.clips), self.units, size) for table in tables)
        return _Side(metric, tuple(statistics), spread)

    def has(self, task: PairedAnswers) -> NDArray[np.bool_]:
        """Return which units a task asks about [u]."""
        return np.bincount(self._of(task.baseline[0].clips), minlength=self.units) > 0


_Key = tuple[int, str, Spread | None]


def _sides(task: PairedAnswers) -> tuple[tuple[_Key, Sequence[Outcomes], Spread | None], ...]:
    """Return baseline and model of a task, each with a key: several models may be compared with the same baselines."""
    both = (task.baseline, task.baseline_spread), (task.model, task.model_spread)
    return tuple(((id(repeats), task.metric, spread), repeats, spread) for repeats, spread in both)


def _sizes(tasks: Sequence[PairedAnswers]) -> dict[tuple[str, ...], int]:
    """Return how many classes, or questions, tables have at most that are read alike."""
    sizes: dict[tuple[str, ...], int] = {}
    for task in tasks:
        metric = METRICS[task.metric]
        found = max(metric.size(metric.table(said)) for said in (*task.baseline, *task.model))
        sizes[metric.tables] = max(found, sizes.get(metric.tables, 0))
    return sizes
