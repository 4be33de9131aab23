"""The 95 % interval of a metric, over test clips and, if there are several, over seeds.

Notation: ``c`` clips, ``u`` independent units (clips, or groups of clips).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.statistics.certainty import CONFIDENCE
from taskgraft.search.statistics.repeats import Repeats, unseen
from taskgraft.search.statistics.seed_noise import SeedNoise


def metric_interval(
    metric: str, said: Sequence[Outcomes], groups: NDArray[np.int64] | None = None, noise: SeedNoise | None = None
) -> tuple[float, float]:
    """Return the interval of a metric's mean over seeds; it holds the mean, and lies within 0..1.

    The variance over clips is that of the sum of their influences (eq. 2 of docs/statistics.md), group by group if
    ``groups`` names the group of every clip of the corpus. ``noise`` adds what the choice of seeds does; without it the
    interval is about these trained models. One unit says nothing: 0 to 1.
    """
    if said[0].clip_count < 2:
        return 0.0, 1.0
    repeats = Repeats.of(metric, said)
    variance, units = _over_units(repeats, groups)
    if units < 2:
        return 0.0, 1.0
    freedom = units - 1.0
    if noise is not None:
        spread = noise.of_mean(repeats)
        if math.isinf(spread.deviation):
            return 0.0, 1.0
        freedom = _joint_freedom(variance, freedom, spread.deviation**2, spread.degrees_of_freedom)
        variance += spread.deviation**2
    reach = float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(variance)
    mean = min(max(repeats.mean, 0.0), 1.0)
    return max(0.0, mean - reach), min(1.0, mean + reach)


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
