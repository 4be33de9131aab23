"""The tensors of a training under way by name, as its saved state holds them, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taskgraft.evaluators.checkpoint_tensors import outcome_shapes
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.optimisers import Optimiser
from taskgraft.evaluators.training_state import BEST, Shapes, StateFacts, Tensors

MODEL, MASKING, WEIGHTING = "model", "masking", "weighting"
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


def moment_tensors(model: TreeModel, optimizer: torch.optim.Optimizer, kind: Optimiser) -> dict[str, NDArray[Any]]:
    """Return the moments of every weight that the kind of optimiser keeps; at least one step was taken."""
    return {
        f"{moment}.{name}": optimizer.state[weight][key].numpy(force=True)
        for name, weight in model.named_parameters()
        for moment, key in kind.moments.items()
    }


def restore_moments(
    model: TreeModel, optimizer: torch.optim.Optimizer, kind: Optimiser, tensors: Tensors, step: int
) -> None:
    """Give the optimiser the moments that `moment_tensors` returned after so many steps."""
    for name, weight in model.named_parameters():
        count = {"step": torch.tensor(float(step), device=weight.device)} if kind.counts_steps else {}
        optimizer.state[weight] = count | {
            # In the weight's own layout: the fused optimiser goes through the memory of both side by side.
            key: torch.empty_like(weight, requires_grad=False).copy_(torch.tensor(tensors[f"{moment}.{name}"]))
            for moment, key in kind.moments.items()
        }


def left_tensors(left: Mapping[str, NDArray[np.int32]]) -> dict[str, NDArray[np.int32]]:
    """Return the clips that are drawn and not yet used, by the place of their corpus: datasets may be renamed."""
    return {f"left.{place}": clips for place, clips in enumerate(left.values())}


def to_left(corpora: Sequence[str], tensors: Tensors) -> dict[str, NDArray[np.int32]]:
    """Return what `left_tensors` was given."""
    return {corpus: tensors[f"left.{place}"] for place, corpus in enumerate(corpora)}


def state_shapes(
    model: TreeModel, kind: Optimiser, masking: torch.Generator, corpora: int, facts: StateFacts
) -> Shapes:
    """Return the tensors that a state of this training has."""
    weights = {name: _shape(tensor) for name, tensor in model.state_dict().items()}
    moments = {
        f"{moment}.{name}": _shape(weight) for name, weight in model.named_parameters() for moment in kind.moments
    }
    best = {} if facts.best[-1].step == facts.step else {f"{BEST}.{name}": shape for name, shape in weights.items()}
    return {
        **{f"{MODEL}.{name}": shape for name, shape in weights.items()},
        **best,
        **moments,
        **outcome_shapes(facts.best),
        **{f"left.{place}": ("I32", (None,)) for place in range(corpora)},
        MASKING: _shape(masking.get_state()),
    }


def typed_shapes(prefix: str, arrays: Tensors) -> Shapes:
    """Return the types and shapes of arrays of a state, with a prefix before each name."""
    return {f"{prefix}.{name}": (_KINDS[array.dtype.name], array.shape) for name, array in arrays.items()}


def _shape(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return _TYPES[tensor.dtype], tuple(tensor.shape)
