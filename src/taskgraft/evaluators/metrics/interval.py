"""The interval of an AR by the paired bootstrap over clips and repeats.

Notation: ``b`` resamples, ``n`` clips, ``d`` statistics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.metrics.metric import Floats, ratio
from taskgraft.evaluators.metrics.registry import METRICS
from taskgraft.evaluators.outcomes import Outcomes

RESAMPLES = 1000
CONFIDENCE = 0.95
_DRAWS_KEPT = 2
_LARGEST_KEPT = 4_000_000
"""Numbers of the draws that are kept at most: 32 MB."""

Draws = tuple[tuple[Floats, ...], dict[str, Any]]
"""How often each clip counts, by corpus [b, n], and the state of the generator after they were drawn."""


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
    clips = {
        corpus: np.unique(np.concatenate([one.clips for c in comparisons if c.corpus == corpus for one in c.baseline]))
        for corpus in {comparison.corpus: None for comparison in comparisons}
    }
    drawn, generator = draw_clips(tuple(map(len, clips.values())), seed, resamples)
    weights = dict(zip(clips, drawn, strict=True))
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


def draw_clips(counts: tuple[int, ...], seed: int, resamples: int) -> tuple[tuple[Floats, ...], np.random.Generator]:
    """Return how often each of so many clips counts in every resample, [b, n] for each count, and the generator.

    All models on the same corpora draw the same clips, and drawing takes far longer than what follows: what was drawn
    last is kept.
    """
    weights, state = (_kept_draws if sum(counts) * resamples <= _LARGEST_KEPT else _draw)(counts, seed, resamples)
    generator = np.random.default_rng(seed)
    generator.bit_generator.state = state
    return weights, generator


def _draw(counts: tuple[int, ...], seed: int, resamples: int) -> Draws:
    generator = np.random.default_rng(seed)
    weights = tuple(
        generator.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64) for count in counts
    )
    for drawn in weights:
        drawn.flags.writeable = False
    return weights, dict(generator.bit_generator.state)


_kept_draws = lru_cache(maxsize=_DRAWS_KEPT)(_draw)


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
