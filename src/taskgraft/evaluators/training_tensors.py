"""The tensors of a training under way by name, as its saved state holds them, and back."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taskgraft.evaluators.checkpoint_tensors import outcome_shapes
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.optimisers import Optimiser
from taskgraft.evaluators.training_state import BEST, Shapes, StateFacts, Tensors

MODEL, MASKING, ALGORITHM, WEIGHTING = "model", "masking", "algorithm", "weighting"
_TYPES = {torch.float32: "F32", torch.int64: "I64", torch.uint8: "U8"}
"""The types of models and generators, in the words of safetensors."""
_KINDS = {"float64": "F64", "int64": "I64", "uint8": "U8"}
"""The types of what a weighting keeps."""


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Return tensors with a prefix before each name."""
    return {f"{prefix}.{name}": tensor.numpy(force=True) for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: Tensors) -> dict[str, Tensor]:
    """Return the tensors that `prefixed` was given."""
    start = f"{prefix}."
    return {name.removeprefix(start): torch.tensor(found) for name, found in tensors.items() if name.startswith(start)}


Weights = Mapping[str, nn.Parameter]
"""All that an optimiser learns, by name."""


def moment_tensors(weights: Weights, optimizer: torch.optim.Optimizer, kind: Optimiser) -> dict[str, NDArray[Any]]:
    """Return the moments of every weight that the kind of optimiser keeps; zeros if it took no step yet."""
    return {
        f"{moment}.{name}": _moment(optimizer, weight, key).numpy(force=True)
        for name, weight in weights.items()
        for moment, key in kind.moments.items()
    }


def _moment(optimizer: torch.optim.Optimizer, weight: nn.Parameter, key: str) -> Tensor:
    kept: Tensor | None = optimizer.state[weight].get(key) if weight in optimizer.state else None
    return torch.zeros_like(weight) if kept is None else kept


def fewer_steps(weights: Weights, optimizer: torch.optim.Optimizer, kind: Optimiser, step: int) -> dict[str, int]:
    """Return how many steps each weight took that took fewer than ``step``; an optimiser without counts tells none."""
    if not kind.counts_steps:
        return {}
    taken = {
        name: int(optimizer.state[weight]["step"]) if optimizer.state.get(weight) else 0
        for name, weight in weights.items()
    }
    return {name: count for name, count in taken.items() if count != step}


def restore_moments(
    weights: Weights,
    optimizer: torch.optim.Optimizer,
    kind: Optimiser,
    tensors: Tensors,
    step: int,
    fewer: Mapping[str, int],
) -> None:
    """Give the optimiser the moments that `moment_tensors` returned after so many steps, or ``fewer`` of a weight."""
    for name, weight in weights.items():
        taken = fewer.get(name, step)
        if not taken:  # torch makes the state of a weight at its first step
            continue
        count = {"step": torch.tensor(float(taken), device=weight.device)} if kind.counts_steps else {}
        optimizer.state[weight] = count | {
            # In the weight's own layout: the fused optimiser goes through the memory of both side by side.
            key: torch.empty_like(weight, requires_grad=False).copy_(torch.tensor(tensors[f"{moment}.{name}"]))
            for moment, key in kind.moments.items()
        }


def left_tensors(left: Mapping[str, NDArray[np.int32]]) -> dict[str, NDArray[np.int32]]:
    """Return the clips that are drawn and not yet used, by the place of their pool: datasets may be renamed."""
    return {f"left.{place}": clips for place, clips in enumerate(left.values())}


def to_left(pools: Sequence[str], tensors: Tensors) -> dict[str, NDArray[np.int32]]:
    """Return what `left_tensors` was given."""
    return {pool: tensors[f"left.{place}"] for place, pool in enumerate(pools)}


def state_shapes(
    model: TreeModel,
    learned: Weights,
    kind: Optimiser,
    masking: torch.Generator,
    pools: int,
    facts: StateFacts,
    algorithm: Mapping[str, Tensor] = MappingProxyType({}),
) -> Shapes:
    """Return the tensors that a state of this training has."""
    weights = {name: _shape(tensor) for name, tensor in model.state_dict().items()}
    moments = {f"{moment}.{name}": _shape(weight) for name, weight in learned.items() for moment in kind.moments}
    best = {} if facts.best[-1].step == facts.step else {f"{BEST}.{name}": shape for name, shape in weights.items()}
    return {
        **{f"{MODEL}.{name}": shape for name, shape in weights.items()},
        **best,
        **moments,
        **outcome_shapes(facts.best),
        **{f"{ALGORITHM}.{name}": _shape(tensor) for name, tensor in algorithm.items()},
        **{f"left.{place}": ("I32", (None,)) for place in range(pools)},
        MASKING: _shape(masking.get_state()),
    }


def typed_shapes(prefix: str, arrays: Tensors) -> Shapes:
    """Return the types and shapes of arrays of a state, with a prefix before each name."""
    return {f"{prefix}.{name}": (_KINDS[array.dtype.name], array.shape) for name, array in arrays.items()}


def _shape(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return _TYPES[tensor.dtype], tuple(tensor.shape)
