"""Acceptance on a level: how likely a task truly loses more than the threshold, given what a few seeds measured.

What tasks that do not disturb each other lose is taken to be normal around 0, and what is measured of it has noise of
the seeds of model and baseline, and of the clips. Equations, and how often accepted trees truly keep the threshold:
docs/tree_search.md.
"""

import math
from collections.abc import Iterable

from scipy.special import ndtr

SEED_NOISE = 0.0065
"""Standard deviation between seeds of one training, as a share of the metric; measured: docs/statistics.md."""
CLIP_NOISE = 0.004
"""Standard deviation that a few hundred validation clips leave, whatever the number of seeds."""
EFFECT = 0.008
"""Standard deviation of what tasks truly lose, or gain, where none disturbs another one."""
RISK = 0.1
"""How likely a delivered tree may be to lose more than the threshold."""
MOST_SEEDS = 3
"""Seeds that a tree is trained with at most before it is accepted or refused."""


def risk(lost: float, threshold: float, seeds: int, baseline_seeds: int = 1) -> float:
    """Return how likely a task is to truly lose more than ``threshold`` if it lost ``lost`` in the mean over seeds.

    >>> [round(risk(lost, 0.02, seeds=1), 3) for lost in (0.0, 0.01, 0.02)]
    [0.001, 0.012, 0.077]
    """
    noise = CLIP_NOISE**2 + SEED_NOISE**2 * (1 / seeds + 1 / baseline_seeds)
    told = EFFECT**2 / (EFFECT**2 + noise)
    return float(ndtr((told * lost - threshold) / math.sqrt(told * noise)))


def is_safe(risks: Iterable[float], tasks: int, of_tasks: int) -> bool:
    """Return whether a part of so many tasks, of all tasks of a study, has no more than its share of the risk."""
    return sum(risks) <= RISK * tasks / of_tasks
