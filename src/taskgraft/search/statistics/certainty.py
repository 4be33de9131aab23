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
class Source:
    """One source of an estimate's variance: how much one draw of it has, over how many draws, and how well known."""

    variance: float
    freedom: float
    draws: int = 1

    @property
    def of_mean(self) -> float:
        """Variance of the mean of all draws."""
        return self.variance / self.draws

    def grown(self, draws: int) -> "Source":
        """What it will be once there are so many draws, if they are what is expected; never fewer than there are."""
        more = max(draws - self.draws, 0)
        return Source(self.variance, self.freedom + more, self.draws + more)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Signed reduction of one task, ``1 - m / b``, and where its variance comes from."""

    reduction: float
    clips: Source
    model: Source
    baseline: Source

    @property
    def repeats(self) -> int:
        """Repeats of the model."""
        return self.model.draws

    @property
    def variance(self) -> float:
        """Variance of the reduction (eq. 10)."""
        return self.clips.of_mean + self.model.of_mean + self.baseline.of_mean

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance (Welch-Satterthwaite, eq. 12)."""
        if math.isinf(self.variance):
            return 1.0
        sources = (self.clips, self.model, self.baseline)
        return self.variance**2 / sum(one.of_mean**2 / one.freedom for one in sources)

    def margin(self, level: float) -> float:
        """How far a one-sided bound with error ``level`` lies from the reduction (eq. 13)."""
        return -float(stdtrit(self.freedom, level)) * math.sqrt(self.variance)

    def ahead(self, repeats: int, deviations: float) -> "Estimate":
        """What it may be after more repeats of both models, if they move it by so many standard deviations (eq. 15)."""
        later = replace(self, model=self.model.grown(repeats), baseline=self.baseline.grown(repeats))
        return replace(later, reduction=self.reduction + deviations * math.sqrt(self.variance - later.variance))


def estimate(sample: TaskSample, noise: SeedNoise) -> Estimate:
    """Reduction of one task with its variance from clips, the model's seeds and the baseline's seeds."""
    baseline, model = sample.baseline, sample.model
    clips = len(baseline.clips)
    reference = max(baseline.mean, 0.5 / clips)  # a baseline of 0 tells nothing: all but infinite variance
    ratio = model.mean / reference
    apart = model.influence - ratio * baseline.influence
    paired = float(apart @ apart) / (clips * (clips - 1))
    chance = noise.within(model) / model.count + ratio**2 * noise.within(baseline) / baseline.count
    unknown = unseen(max(model.reach, baseline.reach), clips)
    of_model, model_freedom = noise.between(model)
    of_baseline, baseline_freedom = noise.between(baseline)
    return Estimate(
        (baseline.mean - model.mean) / reference if baseline.mean else 0.0,
        Source((max(paired - chance, 0.0) + unknown) / reference**2, clips - 1),
        Source(of_model / reference**2, model_freedom, model.count),
        Source(ratio**2 * of_baseline / reference**2, baseline_freedom, baseline.count),
    )


def verdict(tasks: Sequence[Estimate], threshold: float, looks: int, confidence: float = CONFIDENCE) -> Verdict:
    """Whether a model keeps the threshold, told after each of at most ``looks`` repeats of it.

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
    """Whether more repeats have a fair chance to close an open verdict: the clips' noise stays, however many there are.

    They have where one of the looks to come would close it with the estimates one standard deviation off, in either
    direction. To stop where they have not (stochastic curtailment) never adds a wrong verdict.
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
    """The part of the allowed error that one look may use: Pocock-like spending of Lan and DeMets (1983), eq. 14."""

    def spent(by: int) -> float:
        return error * math.log1p((math.e - 1) * by / looks)

    last = min(look, looks)
    return spent(last) - spent(last - 1)


def interval(tasks: Sequence[Estimate], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided interval of the AR, within [0, 1]; the point estimate always lies in it (eq. 16)."""
    tail = (1 - confidence) / 2
    lows = (task.reduction - task.margin(tail / len(tasks)) for task in tasks)
    highs = (task.reduction + task.margin(tail) for task in tasks)
    return max([0.0, *lows]), min(max([0.0, *highs]), 1.0)
