"""The optimisers by name: plain values, so that studies are checked without torch.

A new one is a name and an entry here. All have the first moments of 0.9; the second ones, if there are any, of 0.999.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

_BETAS: Mapping[str, Any] = MappingProxyType({"betas": (0.9, 0.999)})
_BOTH_MOMENTS = MappingProxyType({"first": "exp_avg", "second": "exp_avg_sq"})


class OptimiserName(StrEnum):
    """What makes steps of gradients."""

    ADAMW = "adamw"
    """Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019."""
    ADAM = "adam"
    """Kingma and Ba, Adam, 2015."""
    SGD = "sgd"
    """Stochastic gradient descent with momentum 0.9."""


@dataclass(frozen=True, slots=True)
class Optimiser:
    """An optimiser of torch: its class, what it is made with, and the moments that it keeps of every weight.

    ``moments`` are their names in saved states, each with torch's own. ``weight_decay`` is what a recipe that says
    nothing gets.
    """

    torch_name: str
    moments: Mapping[str, str]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weight_decay: float = 0.0
    counts_steps: bool = True
    """Whether torch keeps the number of steps beside the moments."""


OPTIMISERS: Mapping[OptimiserName, Optimiser] = MappingProxyType(
    {
        OptimiserName.ADAMW: Optimiser("AdamW", _BOTH_MOMENTS, _BETAS, weight_decay=0.01),
        OptimiserName.ADAM: Optimiser("Adam", _BOTH_MOMENTS, _BETAS),
        OptimiserName.SGD: Optimiser("SGD", {"first": "momentum_buffer"}, {"momentum": 0.9}, counts_steps=False),
    }
)
