"""How sure it is that a model keeps the threshold: estimate, verdict and interval of its AR.

Pure functions on plain values. Equations, assumptions and measured error rates: docs/statistics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.special import stdtrit

from taskgraft.errors import InvalidInput
from taskgraft.search.statistics.repeats import Repeats, unseen
from taskgraft.search.statistics.seed_noise import SeedNoise

CONFIDENCE = 0.95


class Verdict(StrEnum):
    """What is known of ``AR <= Q``."""

    KEEPS = "keeps"
    BREAKS = "breaks"
    OPEN = "open"


@dataclass(frozen=True, slots=True, eq=False)
class TaskSample:
    """What the repeats of a task's baseline and of the model in question say about the same clips.

    Raises:
        InvalidInput: different clips.
    """

    baseline: Repeats
    model: Repeats

    def __post_init__(self) -> None:
        if not np.array_equal(self.baseline.clips, self.model.clips):
            raise InvalidInput.at("clips", "a model and its baseline are compared on the same clips")


@dataclass(frozen=True, slots=True)
class VarianceComponent:
    """One component of an estimate's variance: how much one draw of it has, over how many draws, and how well known."""

    variance: float
    degrees_of_freedom: float
    draws: int = 1

    @property
    def of_mean(self) -> float:
        """Variance of the mean of all draws."""
        return self.variance / self.draws

    def grown(self, draws: int) -> "VarianceComponent":
        """Return what it will be after so many draws, if they are as expected; never fewer than there are."""
        more = max(draws - self.draws, 0)
        return VarianceComponent(self.variance, self.degrees_of_freedom + more, self.draws + more)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Signed reduction of one task, ``1 - m / b`` (of an error ``m / b - 1``), and where its variance comes from."""

    reduction: float
    clips: VarianceComponent
    model: VarianceComponent
    baseline: VarianceComponent

    @property
    def repeats(self) -> int:
        """Repeats of the model."""
        return self.model.draws

    @property
    def variance(self) -> float:
        """Variance of the reduction (eq. 10)."""
        return self.clips.of_mean + self.model.of_mean + self.baseline.of_mean

    @property
    def degrees_of_freedom(self) -> float:
        """Degrees of freedom of the variance (Welch-Satterthwaite, eq. 12)."""
        if math.isinf(self.variance):
            return 1.0
        sources = (self.clips, self.model, self.baseline)
        return self.variance**2 / sum(source.of_mean**2 / source.degrees_of_freedom for source in sources)

    def margin(self, level: float) -> float:
        """Return how far a one-sided bound with error ``level`` lies from the reduction (eq. 13)."""
        return -float(stdtrit(self.degrees_of_freedom, level)) * math.sqrt(self.variance)

    def ahead(self, repeats: int, deviations: float) -> "Estimate":
        """Return what it may be after more repeats of both models that move it by so many deviations (eq. 15)."""
        later = replace(self, model=self.model.grown(repeats), baseline=self.baseline.grown(repeats))
        return replace(later, reduction=self.reduction + deviations * math.sqrt(self.variance - later.variance))


def estimate(sample: TaskSample, noise: SeedNoise) -> Estimate:
    """Return the reduction of one task with its variance from clips, the model's seeds and the baseline's seeds."""
    baseline, model = sample.baseline, sample.model
    clips = len(baseline.clips)
    reference = baseline.reference  # a baseline of 0 tells nothing: all but infinite variance
    ratio = model.mean / reference
    apart = model.influence - ratio * baseline.influence
    paired = float(apart @ apart) / (clips * (clips - 1))
    chance = noise.within(model) / model.count + ratio**2 * noise.within(baseline) / baseline.count
    unknown = unseen(max(model.reach, baseline.reach), clips)
    of_model, model_degrees = noise.between(model)
    of_baseline, baseline_degrees = noise.between(baseline)
    return Estimate(
        baseline.reduction(model.mean),
        VarianceComponent((max(paired - chance, 0.0) + unknown) / reference**2, clips - 1),
        VarianceComponent(of_model / reference**2, model_degrees, model.count),
        VarianceComponent(ratio**2 * of_baseline / reference**2, baseline_degrees, baseline.count),
    )


def verdict(tasks: Sequence[Estimate], threshold: float, looks: int, confidence: float = CONFIDENCE) -> Verdict:
    """Return whether a model keeps the threshold, asked after each of at most ``looks`` repeats of it.

    Over all these looks together, a model that keeps it is told to break it with a probability of at most
    ``1 - confidence``, and the other way round. Only tasks that share blocks with another one are at stake: a model
    without any is made of its baselines and keeps every threshold.
    """
    level = _level(min((task.repeats for task in tasks), default=1), looks, 1 - confidence)
    if all(task.reduction + task.margin(level) <= threshold for task in tasks):
        return Verdict.KEEPS
    if any(task.reduction - task.margin(level / len(tasks)) > threshold for task in tasks):
        return Verdict.BREAKS
    return Verdict.OPEN


def may_settle(tasks: Sequence[Estimate], threshold: float, looks: int, confidence: float = CONFIDENCE) -> bool:
    """Return whether more repeats have a fair chance to close an open verdict: the noise of clips stays.

    They have if one of the looks to come would close it with the estimates one standard deviation off, in either
    direction. To stop if they have not (stochastic curtailment) never adds a wrong verdict.
    """
    if any(math.isinf(task.variance) for task in tasks):
        return True
    coming = range(min(task.repeats for task in tasks) + 1, looks + 1)
    return any(
        verdict([task.ahead(look, deviations) for task in tasks], threshold, looks, confidence) is not Verdict.OPEN
        for look in coming
        for deviations in (-1, 1)
    )


def _level(look: int, looks: int, error: float) -> float:
    """Return the part of the error that one look may use: Pocock-like spending of Lan and DeMets (1983), eq. 14."""

    def spent(by: int) -> float:
        return error * math.log1p((math.e - 1) * by / looks)

    last = min(look, looks)
    return spent(last) - spent(last - 1)


def interval(tasks: Sequence[Estimate], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the two-sided interval of the AR, within [0, 1]; the point estimate always lies in it (eq. 16)."""
    tail = (1 - confidence) / 2
    lows = (task.reduction - task.margin(tail / len(tasks)) for task in tasks)
    highs = (task.reduction + task.margin(tail) for task in tasks)
    return max([0.0, *lows]), min(max([0.0, *highs]), 1.0)
