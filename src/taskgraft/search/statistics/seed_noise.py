"""How much trainings differ by their seed alone, pooled over a study: single cells have too few repeats to tell.

Equations are those of docs/statistics.md.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from taskgraft.evaluators.paired import Spread
from taskgraft.search.statistics.repeats import Repeats

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SeedNoise:
    """Noise of the seed, as the repeated trainings of a study show it.

    What a training is expected to have follows from its accuracy and its clips (eq. 7); ``prior_degrees_of_freedom``
    says how far single trainings stray from that, as in moderated variances: Smyth, Statistical Applications in
    Genetics and Molecular Biology 3(1), 2004, sections 4 and 6.
    """

    clip_share: float
    """The part of the clips' sampling variance that is drawn anew by each seed."""
    excess: float
    """What seeds add to that, in units of `Repeats.binomial`."""
    scale: float
    """Mean ratio of what was seen to these two; not quite 1, since neither of them is negative."""
    prior_degrees_of_freedom: float
    """Degrees of freedom of the expectation; infinite if all trainings agree with it."""
    pooled_degrees_of_freedom: float
    """Degrees of freedom of all repeats together; 0 if nothing was repeated; the noise of seeds is then unknown."""

    @classmethod
    def pool(cls, groups: Iterable[Repeats]) -> Self:
        """Return a study's noise from one group for each training and task; groups of one repeat say nothing."""
        repeated = [group for group in groups if group.count > 1]
        if not repeated:
            return cls(0.0, 0.0, 1.0, 0.0, 0.0)
        degrees_of_freedom = np.array([group.count - 1.0 for group in repeated])
        clip_share, excess = _components(repeated, degrees_of_freedom)
        expected = np.array([clip_share * group.sampling + excess * group.binomial for group in repeated])
        ratios = np.array([group.between for group in repeated]) / expected
        scale = float(degrees_of_freedom @ ratios / degrees_of_freedom.sum())
        return cls(
            clip_share,
            excess,
            scale,
            _prior_degrees_of_freedom(ratios, degrees_of_freedom),
            float(degrees_of_freedom.sum()),
        )

    def within(self, group: Repeats) -> float:
        """Return the variance of the clips' chance share for one repeat: measured, or expected if there is only one."""
        return group.within if group.count > 1 else self.clip_share * group.sampling

    def between(self, group: Repeats) -> tuple[float, float]:
        """Return the moderated variance of the metric between repeats and its degrees of freedom (eq. 9)."""
        if not self.pooled_degrees_of_freedom:
            return math.inf, 1.0
        expected = self.scale * (self.clip_share * group.sampling + self.excess * group.binomial)
        own = group.count - 1
        if math.isinf(self.prior_degrees_of_freedom):
            return expected, self.pooled_degrees_of_freedom
        degrees_of_freedom = self.prior_degrees_of_freedom + own
        return (self.prior_degrees_of_freedom * expected + own * group.between) / degrees_of_freedom, min(
            degrees_of_freedom, self.pooled_degrees_of_freedom
        )

    def of_mean(self, group: Repeats) -> Spread:
        """Return what seeds do to a group's mean beyond the clips on which they differ by chance (eq. 20).

        Those are for whoever resamples the clips.
        """
        variance, degrees_of_freedom = self.between(group)
        own = max(variance - self.within(group), 0.0)
        return Spread(math.sqrt(own / group.count), degrees_of_freedom)


def _components(repeated: Sequence[Repeats], degrees_of_freedom: Floats) -> tuple[float, float]:
    """Return the share of the sampling variance and the excess over it, by moments (eq. 8)."""
    within = degrees_of_freedom @ [group.within for group in repeated]
    sampling = degrees_of_freedom @ [group.sampling for group in repeated]
    between = degrees_of_freedom @ [group.between for group in repeated]
    binomial = degrees_of_freedom @ [group.binomial for group in repeated]
    rounding = 1e-9  # keeps the expectation positive if repeats agree on every clip
    excess = float((between - within) / binomial)
    return float(within / sampling) if sampling else 0.0, max(excess, rounding)


def _prior_degrees_of_freedom(ratios: Floats, degrees_of_freedom: Floats) -> float:
    """Return the prior's degrees of freedom, from the spread of logarithms of variances (Smyth 2004, section 6.2)."""
    if len(ratios) < 2:
        return math.inf
    half = degrees_of_freedom / 2
    logs = np.log(ratios) - digamma(half) + np.log(half)
    spread = float(logs.var(ddof=1) - polygamma(1, half).mean())
    return 2 * _inverse_trigamma(spread) if spread > 0 else math.inf


def _inverse_trigamma(value: float) -> float:
    """Return the y at which the trigamma function, between 1/y and 1/y + 1/y^2, has a value above 0."""
    low, high = 1 / value, (1 + math.sqrt(1 + 4 * value)) / (2 * value)
    return float(brentq(lambda y: float(polygamma(1, y)) - value, low, high))
