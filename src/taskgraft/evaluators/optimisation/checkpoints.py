"""Which checkpoint of a training is its result. A new choice is a name, a class, and a line in `CHOICES`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

import numpy as np

from taskgraft.evaluators.metrics import lower_is_better, worst_reduction

VALIDATION_LOSS = "validation loss"
"""The key of a point of a curve that has it; no task can have this name."""


_LEAST = 1e-12
"""Keeps the logarithm of an error of 0 finite."""


class ChoiceName(StrEnum):
    """Which checkpoint is the result of a training."""

    METRIC = "metric"
    """The one whose worst task keeps most of its baseline; of a baseline, the one with the best metric."""
    LOSS = "loss"
    """The one with the lowest loss on the validation split."""
    LAST = "last"
    """The one after the last step."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a checkpoint: its step, what it measured, and the metrics that it is compared with.

    ``names`` has the metric of each task. ``loss`` is the one on the validation split, if the choice needs it. A
    baseline has no ``references``.
    """

    step: int
    metrics: Mapping[str, float]
    names: Mapping[str, str]
    references: Mapping[str, float] | None = None
    loss: float | None = None


class Choice(Protocol):
    """Scores checkpoints: the result is the first one with the greatest score."""

    @property
    def needs_loss(self) -> bool:
        """Whether it looks at the loss on the validation split."""

    @property
    def is_by_metric(self) -> bool:
        """Whether no later checkpoint can make the result worse, so that a training may end once it is good enough."""

    def score(self, seen: Seen) -> float:
        """Return the score of a checkpoint."""


class ByMetric:
    """Chooses by the metrics of the tasks."""

    needs_loss = False
    is_by_metric = True

    def score(self, seen: Seen) -> float:
        """Return minus what the worst task loses; without references, the mean metric.

        Of an error the logarithm counts, negative: a hundredth less of it is then worth as much as a hundredth more of
        a share, whatever its unit is.
        """
        errors = lower_is_better(seen.names)
        if seen.references:
            return -worst_reduction(seen.references, seen.metrics, errors)
        worth = [-math.log(max(value, _LEAST)) if task in errors else value for task, value in seen.metrics.items()]
        return float(np.mean(worth))


class ByLoss:
    """Chooses by the loss on the validation split."""

    needs_loss = True
    is_by_metric = False

    def score(self, seen: Seen) -> float:
        """Return minus the loss.

        Raises:
            ValueError: it was not measured.
        """
        if seen.loss is None:
            raise ValueError("the loss on the validation split is needed to choose a checkpoint by it")
        return -seen.loss


class Last:
    """Chooses the last checkpoint."""

    needs_loss = False
    is_by_metric = False

    def score(self, seen: Seen) -> float:
        """Return the step."""
        return float(seen.step)


CHOICES: Mapping[ChoiceName, Choice] = MappingProxyType(
    {ChoiceName.METRIC: ByMetric(), ChoiceName.LOSS: ByLoss(), ChoiceName.LAST: Last()}
)
