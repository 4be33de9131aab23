"""How the learning rate changes over the planned steps. A new way is a name, a class, and a line in `RATES`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

import numpy as np


class RateName(StrEnum):
    """What the learning rate does over the planned steps."""

    WARMUP_COSINE = "warmup-cosine"
    """Grows linearly, then falls to 0 along half a cosine."""
    CONSTANT = "constant"
    """Stays as it is."""
    WARMUP_LINEAR = "warmup-linear"
    """Grows linearly, then falls linearly to 0."""


class Rate(Protocol):
    """A learning rate over the planned steps."""

    @property
    def warms_up(self) -> bool:
        """Whether it grows over the first share of the steps."""

    @property
    def falls_to_zero(self) -> bool:
        """Whether only a training that takes all planned steps ends at a low rate."""

    def factor(self, step: int, total: int, warm_up: float) -> float:
        """Return by what the learning rate is multiplied at a step, 0..1; ``warm_up`` is the share that it grows."""


@dataclass(frozen=True, slots=True)
class WarmUpThenFall:
    """Grows linearly up to the full rate, then falls to 0; ``fall`` says how, by the share of the fall that is done."""

    fall: Callable[[float], float]
    warms_up = True
    falls_to_zero = True

    def factor(self, step: int, total: int, warm_up: float) -> float:
        """Return the factor at a step."""
        warm = max(1, round(warm_up * total))
        if step < warm:
            return (step + 1) / warm
        return self.fall((step - warm) / max(1, total - warm))


@dataclass(frozen=True, slots=True)
class Constant:
    """Stays at the full rate."""

    warms_up = False
    falls_to_zero = False

    def factor(self, step: int, total: int, warm_up: float) -> float:
        """Return 1."""
        return 1.0


def _half_cosine(done: float) -> float:
    return float(0.5 * (1 + np.cos(np.pi * done)))


def _line(done: float) -> float:
    return 1 - done


RATES: Mapping[RateName, Rate] = MappingProxyType(
    {
        RateName.WARMUP_COSINE: WarmUpThenFall(_half_cosine),
        RateName.CONSTANT: Constant(),
        RateName.WARMUP_LINEAR: WarmUpThenFall(_line),
    }
)
