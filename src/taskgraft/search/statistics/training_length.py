"""When trainings are long enough: what twice the length gains, and what seeds add to the noise of clips.

Pure functions of numbers. Notation: ``E`` epochs, ``m(E)`` a task's metric on validation after ``E`` epochs, ``c``
clips. Equations, limits and error rates: docs/training_length.md.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, ndtri

from taskgraft.search.statistics.repeats import Repeats, unseen
from taskgraft.search.statistics.seed_noise import SeedNoise

FIRST_EPOCHS = 5
FEWEST_STEPS = 250
"""Optimiser steps of the shortest length. Below that, the warm-up of the learning rate alone is a matter of luck."""
DOUBLINGS = 4
_ERROR = 0.16
"""How often noise alone may ask for a longer training: as often as a figure exceeds one standard error."""


def training_lengths(steps_per_epoch: int) -> tuple[int, ...]:
    """Return the lengths that are tried, in epochs, shortest first; each is twice the one before.

    >>> training_lengths(63)
    (5, 10, 20, 40, 80)
    """
    first = FIRST_EPOCHS
    while first * steps_per_epoch < FEWEST_STEPS:
        first *= 2
    return tuple(first * 2**doubling for doubling in range(DOUBLINGS + 1))


@dataclass(frozen=True, slots=True)
class Gain:
    """What a training of twice the length gains for one task, as a share of the metric that it comes to (eq. 25)."""

    share: float
    """``1 - m(E) / m(2E)``; of an error ``m(E) / m(2E) - 1``."""
    error: float
    """Its standard error: the clips on which the two trainings differ."""

    @classmethod
    def of(cls, once: Repeats, twice: Repeats) -> "Gain":
        """Compare trainings of ``E`` and ``2E`` epochs on the same clips."""
        clips = len(once.clips)
        reference = twice.reference
        ratio = once.mean / reference
        apart = once.influence - ratio * twice.influence  # [c]
        variance = float(apart @ apart) / (clips * (clips - 1)) + unseen(max(once.reach, twice.reach), clips)
        gained = 1 - ratio if twice.higher_is_better else ratio - 1
        return cls(gained if twice.mean > 0 else 0.0, math.sqrt(variance) / reference)

    def exceeds(self, worth: float, errors: float) -> bool:
        """Return whether the gain is above ``worth``, and above so many of its own standard errors."""
        return self.share > max(worth, errors * self.error)


def is_doubling_worth(gains: Iterable[Gain], worth: float) -> bool:
    """Return whether twice the length gains more than ``worth`` for any task.

    Noise alone exceeds one standard error in 16 % of the cases. That holds for all tasks together (Bonferroni).
    """
    known = list(gains)
    return any(gain.exceeds(worth, float(-ndtri(_ERROR / len(known)))) for gain in known)


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """How far trainings of one task that differ by their seed alone lie apart: standard deviations, of the metric."""

    seeds: float
    """What was seen, as a share of the metric."""
    clips: float
    """The part that clips explain on which the trainings differ by chance."""
    excess: float
    """What seeds add to that, pooled over the tasks (eq. 26)."""


@dataclass(frozen=True, slots=True)
class SeedSpreads:
    """The spread of every task, and whether seeds add anything at all to the noise of clips."""

    by_task: Mapping[str, SeedSpread]
    is_significant: bool

    @classmethod
    def of(cls, repeats: Mapping[str, Repeats]) -> "SeedSpreads":
        """Summarize the tasks of which there are two repeats or more."""
        repeated = {task: group for task, group in repeats.items() if group.count > 1}
        noise = SeedNoise.pool(repeated.values())
        return cls(
            {task: _spread(group, noise) for task, group in repeated.items()}, _is_significant(list(repeated.values()))
        )

    @property
    def worst(self) -> str | None:
        """The task whose seeds exceed its clips most; None if no seeds differ by more than clips explain."""
        beyond = {task: spread.seeds**2 - spread.clips**2 for task, spread in self.by_task.items()}
        task = max(beyond, key=lambda task: beyond[task], default=None)
        return task if task is not None and beyond[task] > 0 else None

    def exceed(self, worth: float) -> bool:
        """Return whether what seeds add is above ``worth`` for any task, and above its own noise."""
        return self.is_significant and any(spread.excess > worth for spread in self.by_task.values())


def _spread(group: Repeats, noise: SeedNoise) -> SeedSpread:
    metric = group.reference
    variances = group.between, group.within, noise.excess * group.binomial
    return SeedSpread(*(math.sqrt(variance) / metric for variance in variances))


def _is_significant(repeated: Sequence[Repeats]) -> bool:
    """Return whether seeds differ by more than clips explain in all but 16 % of the cases (eq. 27).

    The pooled variance is that of a chi-squared variable; its degrees of freedom are Satterthwaite's.
    """
    if not repeated:
        return False
    freedom = np.array([group.count - 1.0 for group in repeated])
    explained = np.array([group.within + unseen(group.reach, len(group.clips)) for group in repeated])
    seen = np.array([group.between for group in repeated])
    effective = float((freedom @ explained) ** 2 / (freedom @ explained**2))
    return float(freedom @ seen / (freedom @ explained)) > float(chdtri(effective, _ERROR)) / effective
