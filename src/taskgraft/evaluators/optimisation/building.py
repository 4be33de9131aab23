"""From an `Optimisation` to torch's optimiser."""

from collections.abc import Iterable

import torch
from torch import nn

from taskgraft.evaluators.optimisation.optimisation import Optimisation


def build_optimiser(optimisation: Optimisation, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser of these weights; it goes through all of them in one pass."""
    kind = optimisation.kind
    make = getattr(torch.optim, kind.torch_name)
    built: torch.optim.Optimizer = make(
        weights, lr=optimisation.learning_rate, weight_decay=optimisation.decay, fused=True, **kind.arguments
    )
    return built
