"""How much each task loses between its baseline and a model, with one-sided bounds: the paired Bayesian bootstrap.

Plain numpy. Notation: ``b`` resamples, ``u`` units (clips, or groups of clips), ``k`` classes. Equations are those of
docs/statistics.md.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import METRICS, ClassCounts

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
    """Signed reduction of one task, ``1 - m / b``, and its one-sided bounds."""

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
            draws = [table.draw(generator, size) for size in _chunks(resamples, len(table.multiplicity))]
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
        lower, upper = comparison.least, 1.0
        if units > 1 and comparison.can_lose and not np.isnan(self._adverse[place]).any():
            upper = float(np.quantile(self._adverse[place], 1 - expanded(level, units)))
            lower = float(np.quantile(self._favourable[place], expanded(lower_level, units)))
        return Bounds(lost, min(lower, lost), max(min(upper, 1.0), lost), units)


def expanded(level: float, units: int) -> float:
    """Return the tail that a bound of error ``level`` takes of the resamples; few units give Student's t (eq. 19).

    >>> round(expanded(0.05, 1_000_000), 4), round(expanded(0.05, 20), 4)
    (0.05, 0.0345)
    """
    return float(ndtr(stdtrit(units - 1, level) * math.sqrt((units + 1) / (units - 1))))


def _chunks(resamples: int, rows: int) -> Iterator[int]:
    size = max(1, _CELLS // max(rows, 1))
    yield from (min(size, resamples - start) for start in range(0, resamples, size))


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Counts by row [r, k] of every repeat of a baseline, or of a model."""

    metric: str
    repeats: tuple[ClassCounts, ...]
    spread: Spread | None

    @property
    def mean(self) -> ClassCounts:
        """Counts [r, k] of an average repeat."""
        total = self.repeats[0]
        for other in self.repeats[1:]:
            total = total + other
        return total.scaled(1 / len(self.repeats))

    def take(self, rows: NDArray[np.intp]) -> "_Side":
        """Return the counts of some rows."""
        return _Side(self.metric, tuple(counts.take(rows) for counts in self.repeats), self.spread)

    def resampled(self, weights: Floats) -> "_Side":
        """Return counts by resample [b, k] instead of by row."""
        return _Side(self.metric, tuple(counts.resampled(weights) for counts in self.repeats), self.spread)

    def value(self, extra: ClassCounts) -> Floats:
        """Return the metric of every row, mean over repeats, when ``extra`` counts are added to each."""
        values: Floats = np.mean([METRICS[self.metric](counts + extra) for counts in self.repeats], axis=0)
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
    can_lose: bool
    """Whether the baseline is right about anything; if not, the split tells nothing of a reduction."""
    right: ClassCounts
    """Answers [1, k] that are right."""
    wrong: ClassCounts
    """The same questions, answered wrong."""

    @classmethod
    def of(cls, baseline: _Side, model: _Side, multiplicity: Floats, clips: int) -> Self:
        everything = multiplicity[None, :]
        total = baseline.resampled(everything), model.resampled(everything)
        nothing = total[0].mean.scaled(0.0)
        values = total[0].value(nothing), total[1].value(nothing)
        lost, least = (float(_reduction(values[0], value)[0]) for value in (values[1], np.ones(1)))
        can_lose = bool(values[0].any())
        if not can_lose:
            lost = least = 0.0  # as `metrics.reductions` has it: there is nothing to lose
        units = int(multiplicity[baseline.mean.labelled.sum(-1) > 0].sum())
        answers = total[0].mean.labelled.sum()
        share = _adverse_share(baseline.mean, model.mean, units)
        extra = _extra_answers(total[0].mean, max(answers / clips, share * answers / units))
        return cls(baseline, model, units, lost, least, can_lose, *extra)

    def draw(
        self, baseline: "_Side", model: "_Side", extra: Floats, generator: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Draw reductions [b]: with a further unit that only the baseline gets right, and one that only the model does.

        ``baseline`` and ``model`` are the resampled sides, ``extra`` [b, 1] the weights of that unit.
        """
        shifts = [side.spread.draw(generator, len(extra)) if side.spread else 0.0 for side in (baseline, model)]
        right, wrong = self.right.resampled(extra), self.wrong.resampled(extra)
        return (
            _reduction(baseline.value(right) + shifts[0], model.value(wrong) + shifts[1]),
            _reduction(baseline.value(wrong) + shifts[0], model.value(right) + shifts[1]),
        )


def _reduction(baseline: Floats, model: Floats) -> Floats:
    """Return ``1 - m / b``; 1 if the baseline is 0."""
    return 1 - np.divide(model, baseline, out=np.zeros(np.broadcast(model, baseline).shape), where=~(baseline <= 0))


def _adverse_share(baseline: ClassCounts, model: ClassCounts, units: int) -> float:
    """Return the share of a unit outside the split that only one of the two gets right (eq. 18).

    With many units it is the largest difference that was seen in any of them. A few units may not have shown the
    worst: the fewer there are, the nearer it is to the largest share of wrong answers.
    """
    labelled = baseline.labelled.sum(-1)
    right = [
        np.divide(one.right.sum(-1), labelled, out=np.ones_like(labelled), where=labelled > 0)
        for one in (baseline, model)
    ]
    apart = float(np.abs(right[0] - right[1]).max())
    wrong = float(1 - min(share.min() for share in right))
    return apart + min(1.0, _FEW_UNITS / units) * (wrong - apart)


def _extra_answers(total: ClassCounts, answers: float) -> tuple[ClassCounts, ClassCounts]:
    """Return so many answers [1, k] about the rarest class: right, and wrong (taken for the second rarest)."""
    labelled = total.labelled[0]
    rarest = np.argsort(np.where(labelled > 0, labelled, np.inf), kind="stable")
    truth, other = np.zeros((1, len(labelled))), np.zeros((1, len(labelled)))
    truth[0, rarest[0]] = answers
    other[0, rarest[min(1, len(labelled) - 1)]] = answers
    return ClassCounts(truth, truth, truth), ClassCounts(truth * 0, truth, other)


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
        rows_of = _Rows(unit_of_clip, clips, len(units), _classes(tasks))
        sides = {
            key: _Side(task.metric, tuple(rows_of.count(said, task.metric) for said in repeats), spread)
            for task in tasks
            for key, repeats, spread in _sides(task)
        }
        everything = np.concatenate([one.table() for side in sides.values() for one in side.repeats], axis=1)
        _, rows, multiplicity = np.unique(everything, axis=0, return_index=True, return_counts=True)
        merged = {key: side.take(rows) for key, side in sides.items()}
        counted = multiplicity.astype(np.float64)
        comparisons = []
        for task in tasks:
            baseline, model = (merged[key] for key, _, _ in _sides(task))
            comparisons.append(_Comparison.of(baseline, model, counted, task.baseline[0].clip_count))
        return cls(tuple(comparisons), counted)

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
    classes: int

    def count(self, said: Outcomes, metric: str) -> ClassCounts:
        """Count answers by unit [u, k]; accuracy does not need the classes apart."""
        rows = self.unit_of_clip[np.searchsorted(self.clips, said.clips)]
        counts = ClassCounts.by_row(said, rows, self.units, self.classes)
        return counts.over_classes() if metric == "accuracy" else counts


_Key = tuple[int, str, Spread | None]


def _sides(task: PairedAnswers) -> tuple[tuple[_Key, Sequence[Outcomes], Spread | None], ...]:
    """Return baseline and model of a task, each with a key: several models may be compared with the same baselines."""
    both = (task.baseline, task.baseline_spread), (task.model, task.model_spread)
    return tuple(((id(repeats), task.metric, spread), repeats, spread) for repeats, spread in both)


def _classes(tasks: Sequence[PairedAnswers]) -> int:
    every = (said for task in tasks for said in (*task.baseline, *task.model))
    return 1 + max(int(max(said.truth.max(initial=0), said.predicted.max(initial=0))) for said in every)
