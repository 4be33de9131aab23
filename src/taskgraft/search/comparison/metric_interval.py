"""The 95 % interval of a metric, over test clips and, if there are several, over seeds.

Notation: ``c`` clips, ``u`` independent units (clips, or groups of clips).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import METRICS
from taskgraft.search.statistics.certainty import CONFIDENCE
from taskgraft.search.statistics.repeats import Repeats, unseen
from taskgraft.search.statistics.seed_noise import SeedNoise

_LARGEST_ERROR = 2e9
"""Labels of value tasks are at most 1e9 in size."""


def metric_interval(
    metric: str, said: Sequence[Outcomes], groups: NDArray[np.int64] | None = None, noise: SeedNoise | None = None
) -> tuple[float, float]:
    """Return the interval of a metric's mean over seeds; it holds the mean, and lies within the metric's range.

    The variance over clips is that of the sum of their influences (eq. 2 of docs/statistics.md), group by group if
    ``groups`` names the group of every clip of the corpus. ``noise`` adds what the choice of seeds does; without it the
    interval is about these trained models. One unit says nothing: all values that there are.
    """
    lowest, highest = value_range(metric)
    if said[0].clip_count < 2:
        return lowest, highest
    repeats = Repeats.of(metric, said)
    variance, units = _over_units(repeats, groups)
    if units < 2:
        return lowest, highest
    freedom = units - 1.0
    if noise is not None:
        spread = noise.of_mean(repeats)
        if math.isinf(spread.deviation):
            return lowest, highest
        freedom = _joint_freedom(variance, freedom, spread.deviation**2, spread.degrees_of_freedom)
        variance += spread.deviation**2
    reach = float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(variance)
    mean = min(max(repeats.mean, lowest), highest)
    return max(lowest, mean - reach), min(highest, mean + reach)


def value_range(name: str) -> tuple[float, float]:
    """Return the lowest and the highest value of a metric; an error has none, so a figure beyond all labels stands."""
    metric = METRICS[name]
    ends = metric.best, _LARGEST_ERROR if metric.worst is None else metric.worst
    return min(ends), max(ends)


def _over_units(repeats: Repeats, groups: NDArray[np.int64] | None) -> tuple[float, int]:
    """Return the variance of the mean metric over units, and how many units there are."""
    clips = len(repeats.clips)
    of_clip = np.arange(clips) if groups is None else groups[repeats.clips]
    _, place = np.unique(of_clip, return_inverse=True)
    sums = np.bincount(place, repeats.influence)  # [u]
    units = len(sums)
    if units < 2:
        return 1.0, units
    # A split that is right everywhere may still have missed clips that are not.
    least = unseen(repeats.reach, units)
    return max(float(sums @ sums) / clips**2 * units / (units - 1), least), units


def _joint_freedom(first: float, of_first: float, second: float, of_second: float) -> float:
    """Return the degrees of freedom of a sum of two variances (Satterthwaite, Biometrics Bulletin 2, 1946)."""
    return (first + second) ** 2 / (first**2 / of_first + second**2 / of_second)
