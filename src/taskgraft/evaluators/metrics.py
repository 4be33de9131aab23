"""Metrics of one task, accuracy reductions between models, and how sure they are. Plain numpy.

Notation: ``b`` bootstrap resamples, ``n`` clips, ``k`` classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.measurement import Outcomes

Floats = NDArray[np.float64]

RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class ClassCounts:
    """Right answers, labels and answers of every class: the margins of a confusion matrix. Each [..., k]."""

    right: Floats
    labelled: Floats
    answered: Floats

    @classmethod
    def by_clip(cls, outcomes: Outcomes, clips: NDArray[np.int32], classes: int) -> "ClassCounts":
        """Return counts [n, k], one row for each of the ascending ``clips``."""
        return cls.by_row(outcomes, np.searchsorted(clips, outcomes.clips), len(clips), classes)

    @classmethod
    def by_row(cls, outcomes: Outcomes, rows: NDArray[np.intp], count_of_rows: int, classes: int) -> "ClassCounts":
        """Return counts [rows, k]; ``rows`` says for each line of the outcomes which row it belongs to."""

        def count(of_class: NDArray[np.int32], counts: NDArray[np.int32]) -> Floats:
            table = np.zeros((count_of_rows, classes))
            np.add.at(table, (rows, of_class), counts)
            return table

        right = np.where(outcomes.truth == outcomes.predicted, outcomes.counts, 0)
        return cls(
            count(outcomes.truth, right),
            count(outcomes.truth, outcomes.counts),
            count(outcomes.predicted, outcomes.counts),
        )

    def __add__(self, other: "ClassCounts") -> "ClassCounts":
        return ClassCounts(self.right + other.right, self.labelled + other.labelled, self.answered + other.answered)

    def scaled(self, factor: float) -> "ClassCounts":
        """Return all counts times ``factor``."""
        return ClassCounts(self.right * factor, self.labelled * factor, self.answered * factor)

    def over_classes(self) -> "ClassCounts":
        """Return the sums over all classes [..., 1]."""
        sums = (counts.sum(-1, keepdims=True) for counts in (self.right, self.labelled, self.answered))
        return ClassCounts(*sums)

    def take(self, rows: NDArray[np.intp]) -> "ClassCounts":
        """Return the counts of some rows, in that order."""
        return ClassCounts(self.right[rows], self.labelled[rows], self.answered[rows])

    def table(self) -> Floats:
        """Return all counts as one table [..., 3 k]."""
        return np.concatenate([self.right, self.labelled, self.answered], axis=-1)

    def resampled(self, weights: Floats) -> "ClassCounts":
        """Return counts [b, k] of the resamples in which clip n stands ``weights[b, n]`` times."""
        return ClassCounts(weights @ self.right, weights @ self.labelled, weights @ self.answered)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Divide part by whole; nan if there is nothing to divide by."""
    ratio: Floats = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
    return ratio


def _over_classes(values: Floats, counts: ClassCounts) -> Floats:
    """Return the mean over the classes that have labels."""
    present = counts.labelled > 0
    return _ratio(np.where(present, np.nan_to_num(values), 0.0).sum(-1), present.sum(-1).astype(np.float64))


def accuracy(counts: ClassCounts) -> Floats:
    """Return the share of right answers [...]."""
    return _ratio(counts.right.sum(-1), counts.labelled.sum(-1))


def balanced_accuracy(counts: ClassCounts) -> Floats:
    """Return the mean recall of the classes that have labels [...]."""
    return _over_classes(_ratio(counts.right, counts.labelled), counts)


def macro_precision(counts: ClassCounts) -> Floats:
    """Return the mean precision of the classes that have labels, 0 for one that is never answered [...]."""
    return _over_classes(_ratio(counts.right, counts.answered), counts)


def macro_f1(counts: ClassCounts) -> Floats:
    """Return the mean F1 of the classes that have labels [...]."""
    return _over_classes(_ratio(2 * counts.right, counts.labelled + counts.answered), counts)


METRICS = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_precision": macro_precision,
    "macro_f1": macro_f1,
}


def measure(outcomes: Outcomes, metric: str = "accuracy") -> float:
    """Return one metric of one set of outcomes, a fraction of 1."""
    return measure_all(outcomes)[metric]


def measure_all(outcomes: Outcomes) -> dict[str, float]:
    """Return every known metric of one set of outcomes."""
    counts = ClassCounts.by_clip(outcomes, np.unique(outcomes.clips), _classes([outcomes]))
    total = counts.resampled(np.ones((1, len(counts.right))))
    return {name: float(metric(total)[0]) for name, metric in METRICS.items()}


def _classes(all_outcomes: Sequence[Outcomes]) -> int:
    return 1 + max(int(max(part.max(initial=0) for part in (one.truth, one.predicted))) for one in all_outcomes)


def reductions(baselines: Mapping[str, float], metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the signed reduction of each task, ``(b_t - m_t) / b_t``: negative if it gains; 0 for a baseline of 0."""
    return {
        task: (baselines[task] - metric) / baselines[task] if baselines[task] else 0.0
        for task, metric in metrics.items()
    }


def accuracy_reduction(baselines: Mapping[str, float], metrics: Mapping[str, float]) -> float:
    """Return the AR of a model: its worst task's reduction, never below 0.

    Rounded to 12 digits: a clip of fifty is 0.02 then, and keeps a threshold of 0.02.
    """
    return round(max(0.0, *reductions(baselines, metrics).values()), 12)


@dataclass(frozen=True, slots=True, eq=False)
class TaskComparison:
    """What one task's baseline and the model in question said about the same clips, one entry per repeat (seed).

    Tasks with the same ``corpus`` are labels of the same clips: they are resampled together.
    """

    corpus: str
    metric: str
    baseline: Sequence[Outcomes]
    model: Sequence[Outcomes]


def reduction_interval(
    comparisons: Sequence[TaskComparison], seed: int = 0, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the AR's interval by the paired bootstrap over clips and, if there are several, over repeats.

    Clips are drawn with replacement, the same ones for baseline and model; then repeats are drawn within each. The
    interval is that of percentiles (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13); (0, 0)
    if nothing is compared.
    """
    generator = np.random.default_rng(seed)
    clips = {
        corpus: np.unique(np.concatenate([one.clips for c in comparisons if c.corpus == corpus for one in c.baseline]))
        for corpus in {comparison.corpus: None for comparison in comparisons}
    }
    weights = {
        corpus: generator.multinomial(len(held), np.full(len(held), 1 / len(held)), size=resamples).astype(np.float64)
        for corpus, held in clips.items()
    }
    draws: dict[int, NDArray[np.int64]] = {}
    worst = np.zeros(resamples)
    for comparison in comparisons:
        values = [
            _resampled_metric(side, comparison, clips[comparison.corpus], weights[comparison.corpus], generator, draws)
            for side in (comparison.baseline, comparison.model)
        ]
        worst = np.fmax(worst, _ratio(values[0] - values[1], values[0]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(worst, [tail, 1 - tail])
    return float(low), float(high)


def _resampled_metric(
    repeats: Sequence[Outcomes],
    comparison: TaskComparison,
    clips: NDArray[np.int32],
    weights: Floats,
    generator: np.random.Generator,
    draws: dict[int, NDArray[np.int64]],
) -> Floats:
    """Return the metric's mean over drawn repeats, for every resample [b]; tasks of one model share their draws."""
    classes = _classes([*comparison.baseline, *comparison.model])
    metric = METRICS[comparison.metric]
    values = np.stack(
        [metric(ClassCounts.by_clip(one, clips, classes).resampled(weights)) for one in repeats], axis=1
    )  # [b, repeats]
    if len(repeats) == 1:
        return values[:, 0]
    drawn = generator.integers(len(repeats), size=(len(values), len(repeats)))
    if repeats is comparison.model:
        drawn = draws.setdefault(len(repeats), drawn)
    mean: Floats = np.take_along_axis(values, drawn, axis=1).mean(axis=1)
    return mean
