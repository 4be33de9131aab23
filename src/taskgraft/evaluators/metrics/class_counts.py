"""Metrics of confusion counts: classes that are taken for each other, and things that are found, missed or invented.

Notation: ``k`` classes, tags or classes of events.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.metrics.metric import Both, Floats, Metric, mean_over, ratio, summed
from taskgraft.evaluators.outcomes import CLASSES, TAGS, Outcomes, Table

_MARGINS = 3
_NOTHING = -1
"""The class of what is not there, or not found; it is not counted."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassCounts:
    """Right answers, labels and answers of every class: the margins of a confusion matrix. Each [..., k]."""

    right: Floats
    labelled: Floats
    answered: Floats

    @classmethod
    def of(cls, sums: Floats) -> "ClassCounts":
        """Return the parts of statistics [..., 3 k]."""
        size = sums.shape[-1] // _MARGINS
        # As arrays of their own: numpy may sum strided ones in another order, and figures shall stay as they were.
        return cls(*(np.ascontiguousarray(sums[..., size * part : size * (part + 1)]) for part in range(_MARGINS)))


def accuracy(counts: ClassCounts) -> Floats:
    """Return the share of right answers [...]."""
    return ratio(counts.right.sum(-1), counts.labelled.sum(-1))


def macro_recall(counts: ClassCounts) -> Floats:
    """Return the mean recall of the classes that have labels [...]."""
    return mean_over(ratio(counts.right, counts.labelled), counts.labelled > 0)


def macro_precision(counts: ClassCounts) -> Floats:
    """Return the mean precision of the classes that have labels, 0 for one that is never answered [...]."""
    return mean_over(ratio(counts.right, counts.answered), counts.labelled > 0)


def macro_f1(counts: ClassCounts) -> Floats:
    """Return the mean F1 of the classes that have labels [...]."""
    return mean_over(ratio(2 * counts.right, counts.labelled + counts.answered), counts.labelled > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfClassCounts(Metric):
    """A metric of the margins of a confusion matrix. Statistics: right, labelled and answered by class, [3 k].

    In tables of presence, the classes are the labels, and only what is present counts: F1 is that of hits, misses and
    false alarms.
    """

    formula: Callable[[ClassCounts], Floats]

    def table(self, outcomes: Outcomes) -> Table:
        """Return class answers; of tables of presence, which label is there and which is found, `_NOTHING` if not."""
        table = Metric.table(self, outcomes)
        return table if CLASSES in outcomes.tables else _by_label(table, table.predicted)

    def size(self, table: Table) -> int:
        """Return the number of classes of a table."""
        return max(table.classes, table.questions)

    def statistics(self, table: Table, rows: NDArray[np.intp], count: int, size: int) -> Floats:
        """Return counts [count, 3 k]; ``size`` is k."""
        truth, predicted = table.truth.astype(np.intp), table.predicted.astype(np.intp)
        counts = table.counts.astype(np.float64)
        columns = (truth, np.where(truth == predicted, counts, 0.0)), (truth, counts), (predicted, counts)
        return np.concatenate(
            [summed(rows[of >= 0], of[of >= 0], counted[of >= 0], (count, size)) for of, counted in columns], axis=1
        )

    def value(self, sums: Floats) -> Floats:
        """Return the metric [...] of counts [..., 3 k]."""
        return self.formula(ClassCounts.of(sums))

    def resampled(self, weights: Floats, statistics: Floats) -> Floats:
        """Return counts [b, 3 k] of resamples."""
        # One product for each margin, as in earlier versions: another shape may round the last bit in another way.
        counts = ClassCounts.of(statistics)
        return np.concatenate([weights @ counts.right, weights @ counts.labelled, weights @ counts.answered], axis=1)

    def influences(self, statistics: Floats) -> tuple[float, Floats]:
        """Return the metric, and what leaving each row out changes, times the rows but one (jackknife)."""
        total = self.resampled(np.ones((1, len(statistics))), statistics)
        value = float(self.value(total)[0])
        return value, np.nan_to_num((len(statistics) - 1) * (value - self.value(total - statistics)))

    def rounding(self, answers: float, reach: float) -> float:
        """Return the variance that steps of so many answers alone explain (Sheppard)."""
        return 1 / (12 * answers**2)

    def chance(self, outcomes: Outcomes) -> float:
        """Return what always answering the most frequent class comes to; of tags, the best of three answers."""
        table = Metric.table(self, outcomes)
        if CLASSES in outcomes.tables:
            answer = np.bincount(table.truth.astype(np.intp), table.counts).argmax()
            return self._of(replace(table, predicted=np.full_like(table.truth, answer)))
        present = np.bincount(table.labels, table.counts * (2 * table.truth - 1)) > 0  # more often there than not
        answers = (present[table.labels], np.ones(len(table.labels)), np.zeros(len(table.labels)))
        return max(self._of(_by_label(table, answer.astype(np.float32))) for answer in answers)

    def _of(self, said: Table) -> float:
        rows = np.zeros(len(said.clips), np.intp)
        return float(np.nan_to_num(self.value(self.statistics(said, rows, 1, self.size(said))))[0])

    def answers(self, sums: Floats) -> Floats:
        """Return the number of labels [...]."""
        answers: Floats = ClassCounts.of(sums).labelled.sum(-1)
        return answers

    def shares_right(self, rows: Both, totals: Both) -> Both:
        """Return the share of each row's labels that are right."""
        baseline, model = map(ClassCounts.of, rows)
        labelled = baseline.labelled.sum(-1)
        right, other = (
            np.divide(one.right.sum(-1), labelled, out=np.ones_like(labelled), where=labelled > 0)
            for one in (baseline, model)
        )
        return right, other

    def outside(self, rows: Both, total: Floats, answers: float) -> Both:
        """Return answers about the rarest class: right, and wrong (taken for the second rarest)."""
        labelled = ClassCounts.of(total).labelled
        rarest = np.argsort(np.where(labelled > 0, labelled, np.inf), kind="stable")
        return about(len(labelled), rarest[0], rarest[min(1, len(labelled) - 1)], answers)

    def nearly_right(self, clips: int) -> Outcomes:
        """Return outcomes without an error."""
        truth = np.arange(clips) % 2
        return Outcomes.of_classes(np.arange(clips), truth, truth, np.ones(clips))


def _by_label(table: Table, predicted: NDArray[np.float32]) -> Table:
    """Return a table of presence as one of classes, with these answers (0 or 1)."""
    labels, nothing = table.labels.astype(np.float32), np.float32(_NOTHING)
    truth, answers = (np.where(present > 0, labels, nothing) for present in (table.truth, predicted))
    return Table(table.clips, table.labels, truth, answers, table.counts)


def about(size: int, truth: np.intp, other: np.intp, answers: float) -> Both:
    """Return counts [1, 3 k] of ``answers`` about a class: right, and all taken for another one."""
    labelled, answered = np.zeros((1, size)), np.zeros((1, size))
    labelled[0, truth] = answers
    answered[0, other] = answers
    return np.concatenate([labelled] * _MARGINS, axis=1), np.concatenate([labelled * 0, labelled, answered], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy(OfClassCounts):
    """The share of right answers. It does not need the classes apart: k is 1."""

    formula: Callable[[ClassCounts], Floats] = accuracy

    def statistics(self, table: Table, rows: NDArray[np.intp], count: int, size: int) -> Floats:
        """Return right answers, labels and answers [count, 3]."""
        counts = table.counts.astype(np.float64)
        right = np.bincount(rows, np.where(table.truth == table.predicted, counts, 0.0), count)
        labelled = np.bincount(rows, counts, count)
        return np.stack([right, labelled, labelled], axis=1)

    def influences(self, statistics: Floats) -> tuple[float, Floats]:
        """Return the metric, and how far each row moves it; linearized."""
        counts = ClassCounts.of(statistics)
        right, labelled = counts.right[:, 0], counts.labelled[:, 0]
        value = float(right.sum() / labelled.sum())
        return value, (right - value * labelled) / labelled.mean()


_CLASS_KINDS = frozenset({"clip", "frames", "tags"})
_CLASS_TABLES = (CLASSES, TAGS)

ACCURACY = Accuracy(name="accuracy", tables=_CLASS_TABLES, kinds=_CLASS_KINDS)
BALANCED_ACCURACY = OfClassCounts(
    name="balanced_accuracy",
    tables=(CLASSES,),
    kinds=_CLASS_KINDS - {"tags"},  # a yes to every tag has a recall of 1
    formula=macro_recall,
    over_classes=True,
)
MACRO_PRECISION = OfClassCounts(
    name="macro_precision", tables=_CLASS_TABLES, kinds=_CLASS_KINDS, formula=macro_precision, over_classes=True
)
MACRO_F1 = OfClassCounts(name="macro_f1", tables=_CLASS_TABLES, kinds=_CLASS_KINDS, formula=macro_f1, over_classes=True)
