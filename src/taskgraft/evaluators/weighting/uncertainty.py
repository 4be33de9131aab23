"""Losses weighed by learned uncertainties.

The uncertainty of a task is a variance, learned as its logarithm, which starts at 0, by Adam at a constant rate.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from taskgraft.evaluators.weighting.factors import Adam, Floats, Places
from taskgraft.evaluators.weighting.protocol import LossWeighting, Setting, State, Weighting
from taskgraft.space.tasks import TaskKind

LEARNING_RATE = 0.025
"""Of learned weights, if a study says none. It is that of Chen et al., GradNorm, 2018, for its own weights."""
_RATE = Field(default=LEARNING_RATE, gt=0, le=1, description="of the learned variances")


class Uncertainty(LossWeighting):
    """The sum of ``f exp(-s) L + s / 2`` over the tasks, with the learned log variance s.

    f is 1 in the form for classes, and 1/2 in the form for numbers; ``auto`` is the latter for tasks of kind ``value``.
    Source: Kendall, Gal and Cipolla, Multi-task learning using uncertainty to weigh losses, 2018, eq. 7 and 10.
    """

    name: Literal["uncertainty"] = "uncertainty"
    form: Literal["auto", "class", "half"] = Field(default="auto", description="half: 1/2 before every loss")
    learning_rate: float = _RATE

    def build(self, setting: Setting) -> Weighting:
        """Return a weighting that learns a variance for each task."""
        from taskgraft.evaluators.weighting.scalar import ScalarWeighting  # noqa: PLC0415  # torch is for trainings

        halved = [
            self.form == "half" or (self.form == "auto" and task.kind is TaskKind.VALUE) for task in setting.tasks
        ]
        return ScalarWeighting(setting, LogVariances(np.where(halved, 0.5, 1.0), self.learning_rate))


class UncertaintyPositive(LossWeighting):
    """The sum of ``L / (2 v) + ln(1 + v)`` over the tasks, with the learned variance v: it is never below 0.

    Source: Liebel and Koerner, Auxiliary tasks in multi-task learning, 2018, eq. 4.
    """

    name: Literal["uncertainty-positive"] = "uncertainty-positive"
    learning_rate: float = _RATE

    def build(self, setting: Setting) -> Weighting:
        """Return a weighting that learns a variance for each task."""
        from taskgraft.evaluators.weighting.scalar import ScalarWeighting  # noqa: PLC0415

        return ScalarWeighting(setting, PositiveVariances(len(setting.tasks), self.learning_rate))


class LogVariances:
    """The factors ``f exp(-s)`` with the learned s."""

    def __init__(self, scales: Floats, learning_rate: float) -> None:
        self._scales = scales
        self._logs = Adam(np.zeros(len(scales)), learning_rate)

    @property
    def variances(self) -> Floats:
        """exp(s) of each task [t]."""
        return np.exp(self._logs.values)

    def weigh(self, places: Places, losses: Floats) -> Floats:
        """Return the factors, and make a step down the slope of ``f exp(-s) L + s / 2``."""
        factors = self._scales[places] * np.exp(-self._logs.values[places])
        self._logs.step(places, 0.5 - factors * losses)
        return factors

    @property
    def state(self) -> State:
        """The log variances and their moments."""
        return self._logs.state

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._logs.restore(state)


class PositiveVariances:
    """The factors ``1 / (2 v)`` with the learned v."""

    def __init__(self, tasks: int, learning_rate: float) -> None:
        self._logs = Adam(np.zeros(tasks), learning_rate)

    @property
    def variances(self) -> Floats:
        """The variance of each task [t]."""
        return np.exp(self._logs.values)

    def weigh(self, places: Places, losses: Floats) -> Floats:
        """Return the factors, and make a step of ln v down the slope of ``L / (2 v) + ln(1 + v)``."""
        variances = self.variances[places]
        factors = 0.5 / variances
        self._logs.step(places, variances / (1 + variances) - factors * losses)
        return factors

    @property
    def state(self) -> State:
        """The logarithms of the variances and their moments."""
        return self._logs.state

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._logs.restore(state)
