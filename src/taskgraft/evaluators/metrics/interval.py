"""The interval of an AR by the paired bootstrap over clips and repeats.

Notation: ``b`` resamples, ``n`` clips, ``d`` statistics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.metrics.metric import Floats, ratio
from taskgraft.evaluators.metrics.registry import METRICS
from taskgraft.evaluators.outcomes import Outcomes

RESAMPLES = 1000
CONFIDENCE = 0.95


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
    if nothing is compared. Resamples in which a baseline is not above 0 say nothing of its task.
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
        lost = values[0] - values[1] if METRICS[comparison.metric].higher_is_better else values[1] - values[0]
        worst = np.fmax(worst, ratio(lost, values[0]))
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
    metric = METRICS[comparison.metric]
    size = max(metric.size(metric.table(one)) for one in (*comparison.baseline, *comparison.model))
    values = np.stack(
        [metric.value(metric.resampled(weights, metric.by_clip(one, clips, size))) for one in repeats], axis=1
    )  # [b, repeats]
    if len(repeats) == 1:
        return values[:, 0]
    drawn = generator.integers(len(repeats), size=(len(values), len(repeats)))
    if repeats is comparison.model:
        drawn = draws.setdefault(len(repeats), drawn)
    mean: Floats = np.take_along_axis(values, drawn, axis=1).mean(axis=1)
    return mean
