"""Losses weighed so that their gradients at the last shared block have norms that fit how fast the tasks learn.

The numbers, without torch; `norms` has the gradients.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from taskgraft.evaluators.weighting.factors import Adam, Floats, Places
from taskgraft.evaluators.weighting.protocol import LossWeighting, Setting, State, Weighting
from taskgraft.evaluators.weighting.uncertainty import LEARNING_RATE

LEAST = 1e-3
"""The least weight before weights are made to add up: their steps could carry them below 0."""


class GradNorm(LossWeighting):
    """Weights w that learn to bring the norms of ``grad w L`` to ``mean norm x (relative inverse rate)^alpha``.

    The relative inverse rate of a task is ``L / its first L``, divided by the mean over the tasks. The weights are 1 at
    first, learned by Adam at a constant rate, and made to add up to the number of tasks after each step.
    Source: Chen et al., GradNorm, 2018, algorithm 1. Not in TorchJD.
    """

    name: Literal["gradnorm"] = "gradnorm"
    alpha: float = Field(default=1.5, ge=0, description="0: equal norms; higher: slow tasks get larger ones")
    learning_rate: float = Field(default=LEARNING_RATE, gt=0, le=1, description="of the learned weights")

    def build(self, setting: Setting) -> Weighting:
        """Return a weighting that learns a weight for each task."""
        from taskgraft.evaluators.weighting.norms import NormWeighting  # noqa: PLC0415  # torch is for trainings

        return NormWeighting(setting, self.alpha, self.learning_rate)


class Balance:
    """The learned weights of all tasks [t]; those of each of the ``groups`` are balanced against one another.

    A group is the tasks that share a last block. A task in none has the weight 1.
    """

    def __init__(self, tasks: int, groups: Sequence[Sequence[int]], alpha: float, learning_rate: float) -> None:
        self._groups = [np.array(group) for group in groups]
        self._alpha = alpha
        self._learned = Adam(np.ones(tasks), learning_rate)
        self._first = np.zeros(tasks)  # 0 before a task had a loss

    def weigh(self, places: Places, losses: Floats, norms: Floats) -> Floats:
        """Return the weights of losses [k], and learn from them and from the norms of their gradients [k]."""
        weights = self._learned.values[places]
        self._first[places] = np.where(self._first[places] > 0, self._first[places], losses)
        for group in self._groups:
            chosen = np.isin(places, group) & (losses > 0) & np.isfinite(norms)
            if chosen.sum() > 1:
                self._learn(group, places[chosen], losses[chosen], norms[chosen])
        return weights

    def _learn(self, group: Places, places: Places, losses: Floats, norms: Floats) -> None:
        rates = losses / self._first[places]
        found = self._learned.values[places] * norms
        wanted = found.mean() * (rates / rates.mean()) ** self._alpha  # a constant, of which no slope is taken
        self._learned.step(places, np.sign(found - wanted) * norms)
        kept = np.maximum(self._learned.values[group], LEAST)
        self._learned.values[group] = kept * (len(group) / kept.sum())

    @property
    def weights(self) -> Floats:
        """The weight of each task [t]."""
        return self._learned.values.copy()

    @property
    def state(self) -> State:
        """The weights, their moments and the first losses."""
        return {**self._learned.state, "losses": self._first.copy()}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._learned.restore(state)
        self._first = np.array(state["losses"])
