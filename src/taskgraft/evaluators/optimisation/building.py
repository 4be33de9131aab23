"""From an `Optimisation` to torch's optimiser."""

from collections.abc import Iterable

import torch
from torch import nn

from taskgraft.evaluators.optimisation.eager import without_compiler
from taskgraft.evaluators.optimisation.optimisation import Optimisation


def build_optimiser(optimisation: Optimisation, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser of these weights; it goes through all of them in one pass."""
    kind = optimisation.kind
    make = getattr(torch.optim, kind.torch_name)
    learned = list(weights)
    settings = {"lr": optimisation.learning_rate, "weight_decay": optimisation.decay, "fused": True}
    with without_compiler():
        built: torch.optim.Optimizer = make(learned, **settings, **kind.arguments)
    if not kind.counts_steps:
        # Without counts, torch takes moments of all weights of a step or of none; some may have been idle before.
        for weight in learned:
            built.state[weight] = {key: torch.zeros_like(weight) for key in kind.moments.values()}
    return built
