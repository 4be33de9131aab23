"""The area under the ROC curve, of scores in bins.

Notation: ``l`` questions, ``s`` bins of scores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.metrics.metric import Both, Floats, Metric, mean_over, ratio, summed
from taskgraft.evaluators.outcomes import BINS, SCORES, Outcomes, Table

_ANSWERS = 2
"""Absent and present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RocAuc(Metric):
    """How often a present answer scores higher than an absent one; ties count half. The mean over questions.

    Statistics are histograms of scores [l, 2, s], of absent and of present answers. A question counts if it has both;
    without any the value is 1/2. Hanley and McNeil, Radiology 143(1), 1982.
    """

    def size(self, table: Table) -> int:
        """Return the number of questions."""
        return table.questions

    def statistics(self, table: Table, rows: NDArray[np.intp], count: int, size: int) -> Floats:
        """Return histograms [count, l * 2 * s]."""
        places = (
            table.labels.astype(np.intp) * _ANSWERS + table.truth.astype(np.intp)
        ) * BINS + table.predicted.astype(np.intp)
        return summed(rows, places, table.counts.astype(np.float64), (count, size * _ANSWERS * BINS))

    def value(self, sums: Floats) -> Floats:
        """Return the area [...] of histograms [..., l * 2 * s]."""
        absent, present = _histograms(sums)
        absents, presents = absent.sum(-1), present.sum(-1)
        won = (present * _below(absent)).sum(-1)
        areas = mean_over(ratio(won, absents * presents), (absents > 0) & (presents > 0))
        found: Floats = np.nan_to_num(areas, nan=0.5)
        return found

    def chance(self, outcomes: Outcomes) -> float:
        """Return 1/2: whoever gives every answer the same score wins half of the ties."""
        return 0.5

    def answers(self, sums: Floats) -> Floats:
        """Return the number of answers [...]."""
        answers: Floats = sums.sum(-1)
        return answers

    def shares_right(self, rows: Both, totals: Both) -> Both:
        """Return how often the answers of each row are on the right side of the other answers of the split."""
        baseline, model = (_placed(row, total) for row, total in zip(rows, totals, strict=True))
        return baseline, model

    def outside(self, rows: Both, total: Floats, answers: float) -> Both:
        """Return answers of the rarest kind, present or absent: at the right end of the scores, and at the other."""
        counts = total.reshape(-1, BINS).sum(-1)  # of each question: absent, present
        rarest = int(np.where(counts > 0, counts, np.inf).argmin())
        ends = np.zeros((2, len(counts), BINS))
        ends[0, rarest, 0] = ends[1, rarest, -1] = answers
        low, high = ends.reshape(2, 1, -1)
        return (high, low) if rarest % _ANSWERS else (low, high)

    def nearly_right(self, clips: int) -> Outcomes:
        """Return scores without an error."""
        truth = np.arange(clips) % 2
        return Outcomes({SCORES: Table.of(np.arange(clips), 0 * truth, truth, truth * (BINS - 1), np.ones(clips))})

    @property
    def width(self) -> int:
        """How many numbers a resample takes at least."""
        return _ANSWERS * BINS


def _histograms(sums: Floats) -> tuple[Floats, Floats]:
    """Return the histograms of absent and of present answers, each [..., l, s]."""
    histograms = sums.reshape(*sums.shape[:-1], -1, _ANSWERS, BINS)
    return histograms[..., 0, :], histograms[..., 1, :]


def _below(histogram: Floats) -> Floats:
    """Return how many answers score below each bin, and half of those in it [..., s]."""
    below: Floats = histogram.cumsum(-1) - histogram / 2
    return below


def _placed(rows: Floats, total: Floats) -> Floats:
    """Return the mean over the answers of each row of the share of opposite answers of the split that they beat."""
    absent, present = _histograms(total)
    beats_present = 1 - ratio(_below(present), present.sum(-1, keepdims=True))
    beats_absent = ratio(_below(absent), absent.sum(-1, keepdims=True))
    shares = np.nan_to_num(np.stack([beats_present, beats_absent], axis=-2), nan=1.0).ravel()
    answers = rows.sum(-1)
    placed: Floats = np.divide(rows @ shares, answers, out=np.ones_like(answers), where=answers > 0)
    return placed


def score_bins(probabilities: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return the bins of probabilities between 0 and 1."""
    return (probabilities.astype(np.float64) * BINS).astype(np.int32).clip(0, BINS - 1)


ROC_AUC = RocAuc(name="roc_auc", tables=(SCORES,), kinds=frozenset({"frames", "tags"}))
