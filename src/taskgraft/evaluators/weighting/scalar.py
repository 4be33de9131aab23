"""Weightings that multiply losses: one backward pass through the weighed sum.

Notation: ``k`` losses of a step.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taskgraft.evaluators.weighting.factors import Factors
from taskgraft.evaluators.weighting.protocol import Setting, State


class PlainSum:
    """Every loss counts once."""

    def __init__(self, setting: Setting) -> None:
        self._scaler = setting.scaler

    def backward(self, losses: Mapping[str, Tensor]) -> None:
        """Fill the gradients of the sum."""
        self._scaler.scale(torch.stack([*losses.values()]).sum()).backward()  # type: ignore[no-untyped-call]

    @property
    def state(self) -> State:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Do nothing."""


class ScalarWeighting:
    """Every loss counts by a factor that follows from the values of the losses."""

    def __init__(self, setting: Setting, factors: Factors) -> None:
        self._places = {name: place for place, name in enumerate(setting.names)}
        self._scaler = setting.scaler
        self._factors = factors

    def backward(self, losses: Mapping[str, Tensor]) -> None:
        """Fill the gradients of the weighed sum."""
        stacked = torch.stack([*losses.values()])  # [k]
        places = np.array([self._places[name] for name in losses])
        factors = self._factors.weigh(places, stacked.detach().double().numpy(force=True))
        backward_weighed(stacked, factors, self._scaler)

    @property
    def state(self) -> State:
        """That of the factors."""
        return self._factors.state

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._factors.restore(state)


def backward_weighed(losses: Tensor, factors: NDArray[np.float64], scaler: torch.amp.GradScaler) -> None:
    """Fill the gradients of the sum of losses [k], each times its factor [k]."""
    weighed = (losses * torch.from_numpy(factors).to(losses)).sum()
    scaler.scale(weighed).backward()  # type: ignore[no-untyped-call]
