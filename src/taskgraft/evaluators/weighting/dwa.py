"""Losses weighed by how fast they fell in the last epoch."""

from typing import Literal

import numpy as np
from pydantic import Field

from taskgraft.evaluators.weighting.factors import Floats, Places
from taskgraft.evaluators.weighting.protocol import LossWeighting, Setting, State, Weighting


class DynamicWeightAverage(LossWeighting):
    """The weights ``t exp(r / T) / sum of exp(r / T)``, r the ratio of a task's mean losses of the last two epochs.

    They add up to t, the number of tasks, and are 1 in the first two epochs. T is the ``temperature``.
    Source: Liu, Johns and Davison, End-to-end multi-task learning with attention, 2019, eq. 7.
    """

    name: Literal["dwa"] = "dwa"
    temperature: float = Field(default=2.0, gt=0, description="higher: weights are more alike")

    def build(self, setting: Setting) -> Weighting:
        """Return a weighting that keeps the mean losses of three epochs."""
        from taskgraft.evaluators.weighting.scalar import ScalarWeighting  # noqa: PLC0415  # torch is for trainings

        return ScalarWeighting(setting, EpochRatios(len(setting.tasks), setting.epoch_steps, self.temperature))


class EpochRatios:
    """The factors of dynamic weight averaging; a task without a loss in one of the last two epochs has the ratio 1."""

    def __init__(self, tasks: int, epoch_steps: int, temperature: float) -> None:
        self._epoch_steps = epoch_steps
        self._temperature = temperature
        self._means = np.zeros((2, tasks))  # of the last epoch but one, and of the last; 0 if there is none
        self._sums, self._counts = np.zeros(tasks), np.zeros(tasks, np.int64)
        self._steps = np.zeros(1, np.int64)

    def weigh(self, places: Places, losses: Floats) -> Floats:
        """Return the weights of this epoch, and count the losses among it."""
        if self._steps[0] and self._steps[0] % self._epoch_steps == 0:
            self._end_epoch()
        self._steps += 1
        self._sums[places] += losses
        self._counts[places] += 1
        return self.weights[places]

    def _end_epoch(self) -> None:
        self._means[0] = self._means[1]
        self._means[1] = self._sums / np.maximum(self._counts, 1)
        self._sums[:], self._counts[:] = 0, 0

    @property
    def weights(self) -> Floats:
        """The weight of each task [t] in this epoch."""
        known = (self._means[0] > 0) & (self._means[1] > 0)
        if not known.any():
            return np.ones(len(known))
        ratios = np.divide(self._means[1], self._means[0], out=np.ones(len(known)), where=known)
        powers = np.exp((ratios - ratios.max()) / self._temperature)
        weights: Floats = len(powers) * powers / powers.sum()
        return weights

    @property
    def state(self) -> State:
        """The losses of this epoch so far, the mean losses of the two before it, and the steps."""
        return {
            "means": self._means.copy(),
            "sums": self._sums.copy(),
            "counts": self._counts.copy(),
            "steps": self._steps.copy(),
        }

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._means, self._sums = np.array(state["means"]), np.array(state["sums"])
        self._counts, self._steps = np.array(state["counts"]), np.array(state["steps"])
