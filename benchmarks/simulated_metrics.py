"""How often the bounds of a reduction hold, for metrics other than those of class answers: `python -m` this module.

Baseline and model are fixed; clips are drawn, each with a difficulty of its own that both share. The true reduction is
that of many clips. Printed: how often the true reduction lies below the upper bound, and above the lower one, which are
both at 5 %, and inside of the interval between bounds of 2.5 %.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.metrics import METRICS, measure, score_bins
from taskgraft.evaluators.outcomes import EVENTS, SCORES, SEGMENTS, VALUES, Outcomes, Table
from taskgraft.evaluators.paired import PairedAnswers, PairedBootstrap

Floats = NDArray[np.float64]
Draw = Callable[[int, np.random.Generator], tuple[Outcomes, Outcomes]]

_MANY = 20_000
"""Clips that tell the true reduction."""
_STEPS, _CLASSES = 20, 3


def scores(clips: int, random: np.random.Generator) -> tuple[Outcomes, Outcomes]:
    """Return scores of the steps of each clip, which are harder in some clips."""
    truth = random.random((clips, _STEPS)) < random.beta(2, 2, (clips, 1))
    hard = random.normal(0, 0.5, (clips, 1)) + random.normal(0, 1, truth.shape)

    def said(distance: float) -> Outcomes:
        logits = distance * (truth - 0.5) + hard + random.normal(0, 0.5, truth.shape)
        numbers = np.repeat(np.arange(clips), _STEPS)
        bins = score_bins(1 / (1 + np.exp(-logits.ravel())))
        return Outcomes({SCORES: Table.of(numbers, 0 * numbers, truth.ravel(), bins, 0 * numbers + 1)})

    return said(2.6), said(2.4)


def detections(table: str) -> Draw:
    """Return what draws hits, misses and false alarms by clip and class."""

    def draw(clips: int, random: np.random.Generator) -> tuple[Outcomes, Outcomes]:
        there = random.poisson((1.0, 0.5, 0.2), (clips, _CLASSES))
        hard = random.beta(3, 3, (clips, 1))

        def said(found: float) -> Outcomes:
            hits = random.binomial(there, found * (1 - 0.4 * hard))
            extra = random.poisson(0.3 * there.mean(axis=0) * 2 * hard, there.shape)
            counts = np.stack([hits, there - hits, extra, np.ones_like(hits)], axis=-1).ravel()
            clip, label, pair = (places.ravel() for places in np.indices((clips, _CLASSES, 4)))
            return Outcomes({table: Table.of(clip, label, pair < 2, pair % 2 == 0, counts * (pair < 3))})

        return said(0.9), said(0.85)

    return draw


def values(clips: int, random: np.random.Generator) -> tuple[Outcomes, Outcomes]:
    """Return predicted numbers, with errors that are larger in some clips."""
    truth = random.normal(40, 12, clips)
    hard = random.standard_t(5, clips)

    def said(error: float) -> Outcomes:
        predicted = truth + error * (hard + 0.5 * random.standard_t(5, clips))
        numbers = np.arange(clips)
        return Outcomes({VALUES: Table.of(numbers, 0 * numbers, truth, predicted, 0 * numbers + 1)})

    return said(6.0), said(6.4)


DRAWS: dict[str, Draw] = {
    "roc_auc": scores,
    "event_f1": detections(EVENTS),
    "segment_f1": detections(SEGMENTS),
    "concordance": values,
    "mean_absolute_error": values,
}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares of the splits in which the true reduction is within bounds."""

    upper: float
    lower: float
    both: float


def true_reduction(metric: str) -> float:
    """Return the reduction on many clips."""
    baseline, model = (measure(said, metric) for said in DRAWS[metric](_MANY, np.random.default_rng(12345)))
    return METRICS[metric].reduction(baseline, model)


def coverage(metric: str, clips: int, splits: int, resamples: int = 1000, seed: int = 0) -> Coverage:
    """Return how often bounds hold."""
    truth, random = true_reduction(metric), np.random.default_rng(seed)
    held = np.zeros(3)
    for number in range(splits):
        baseline, model = DRAWS[metric](clips, random)
        bootstrap = PairedBootstrap([PairedAnswers("c", metric, [baseline], [model])], number, resamples)
        (one_sided,), (two_sided,) = (bootstrap.bounds(level, level) for level in (0.05, 0.025))
        held += truth <= one_sided.upper, truth >= one_sided.lower, two_sided.lower <= truth <= two_sided.upper
    return Coverage(*(held / splits).tolist())


def main() -> None:
    """Print the table of docs/statistics.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--metrics", nargs="+", default=list(DRAWS))
    arguments = parser.parse_args()
    print("| metric | clips | below the upper bound | above the lower bound | in the interval |")
    print("| --- | --- | --- | --- | --- |")
    for metric in arguments.metrics:
        for clips in (100, 400):
            found = coverage(metric, clips, arguments.splits, arguments.resamples)
            shares = " | ".join(f"{100 * share:.1f}" for share in (found.upper, found.lower, found.both))
            print(f"| {metric} | {clips} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
