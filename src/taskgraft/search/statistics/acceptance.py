"""Acceptance on a level: how likely a task truly loses more than the threshold, given what was measured.

What tasks that do not disturb each other truly lose is taken to be normal around 0, and what is measured of it has
noise of the seeds of model and baseline, and of the clips. A tree is accepted if no task measured more than the
threshold, and all risks together are small. Equations, and how often accepted trees truly keep it: docs/tree_search.md.
"""

import math
from collections.abc import Iterable

from scipy.special import ndtr

TYPICAL = 0.9
"""The metric that noise is stated for; of metrics that are no shares, the noise is taken to be that, too."""
SEED_NOISE = 0.0065
"""Standard deviation between seeds of one training, as a share of a metric of 90 %."""
CLIP_NOISE = 0.004
"""Standard deviation that some hundred validation clips leave, whatever the number of seeds; likewise."""
EFFECT = 0.008
"""Standard deviation of what tasks truly lose, or gain, where none disturbs another one."""
RISK = 0.05
"""Sum of the risks of all tasks of a tree. Looking at many trees makes the true risk larger: about twice as large."""


def risk(lost: float, threshold: float, baseline: float, seeds: int) -> float:
    """Return how likely a task truly loses more than ``threshold`` if it measured ``lost``, mean over some seeds.

    Noise follows the ``baseline`` metric as a share's does: sqrt(p (1 - p)); there is none if it is 1.

    >>> [round(risk(lost, 0.02, 0.9, seeds=1), 4) for lost in (0.0, 0.01, 0.02)]
    [0.0007, 0.005, 0.0253]
    """
    level = min(max(baseline, 1e-9), 1.0)
    scale = math.sqrt(level * (1 - level)) / level / (math.sqrt(0.9 * 0.1) / 0.9)
    noise = scale**2 * (CLIP_NOISE**2 + 2 * SEED_NOISE**2 / seeds)
    if noise < 1e-12:
        return float(lost > threshold)
    told = EFFECT**2 / (EFFECT**2 + noise)
    return float(ndtr((told * lost - threshold) / math.sqrt(told * noise)))


def is_safe(risks: Iterable[float], tasks: int, of_tasks: int) -> bool:
    """Return whether a part of so many ``tasks``, of all the study has, takes no more than its share of the risk."""
    return sum(risks) <= RISK * tasks / of_tasks
