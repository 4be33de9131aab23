"""Rules that turn the values of losses into the factors of their gradients. Plain numpy.

Notation: ``k`` losses of a step, ``t`` tasks of a model.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.weighting.protocol import State

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
"""The places of tasks among those of the model."""


class Factors(Protocol):
    """Weighs losses by their values."""

    def weigh(self, places: Places, losses: Floats) -> Floats:
        """Return the factor of each loss [k], and learn from the losses for the next step."""

    @property
    def state(self) -> State:
        """What the factors of the next step depend on beside its losses."""

    def restore(self, state: State) -> None:
        """Go on from a state."""


class Memoryless:
    """The state of a rule that has none."""

    @property
    def state(self) -> State:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Do nothing."""


class Adam:
    """Adam on a few numbers [t]; those that take no part in a step keep their value and their moments.

    Source: Kingma and Ba, Adam, 2015, algorithm 1. torch's own makes a step for all of them.
    """

    _BETAS = (0.9, 0.999)
    _TINY = 1e-8

    def __init__(self, values: Floats, learning_rate: float) -> None:
        self.values = values.copy()
        self._rate = learning_rate
        self._first, self._second = np.zeros(len(values)), np.zeros(len(values))
        self._steps = np.zeros(len(values), np.int64)

    def step(self, places: Places, slopes: Floats) -> None:
        """Move the numbers at some places [k] against their slopes [k]."""
        first, second = self._BETAS
        self._steps[places] += 1
        self._first[places] = first * self._first[places] + (1 - first) * slopes
        self._second[places] = second * self._second[places] + (1 - second) * slopes**2
        mean = self._first[places] / (1 - first ** self._steps[places])
        spread = np.sqrt(self._second[places] / (1 - second ** self._steps[places]))
        self.values[places] -= self._rate * mean / (spread + self._TINY)

    @property
    def state(self) -> State:
        """The numbers, their moments and how many steps each has made."""
        return {
            "values": self.values.copy(),
            "first": self._first.copy(),
            "second": self._second.copy(),
            "steps": self._steps.copy(),
        }

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self.values, self._steps = np.array(state["values"]), np.array(state["steps"])
        self._first, self._second = np.array(state["first"]), np.array(state["second"])
