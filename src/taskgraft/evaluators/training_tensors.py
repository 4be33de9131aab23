"""The tensors of a training under way by name, as its saved state holds them, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taskgraft.evaluators.measurement import Checkpoint, Outcomes
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.training_state import BEST, OUTCOME_COLUMNS, Shapes, StateFacts, Tensors

MODEL, MASKING = "model", "masking"
_MOMENTS = {"first": "exp_avg", "second": "exp_avg_sq"}
"""Names of AdamW's moments: here, and in torch."""
_TYPES = {torch.float32: "F32", torch.int64: "I64", torch.uint8: "U8"}
"""The types of models and generators, in the words of safetensors."""


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Return tensors with a prefix before each name."""
    return {f"{prefix}.{name}": tensor.numpy(force=True) for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: Tensors) -> dict[str, Tensor]:
    """Return the tensors that `prefixed` was given."""
    start = f"{prefix}."
    return {name.removeprefix(start): torch.tensor(found) for name, found in tensors.items() if name.startswith(start)}


def moment_tensors(model: TreeModel, optimizer: torch.optim.AdamW) -> dict[str, NDArray[Any]]:
    """Return both moments of every weight; at least one step was taken."""
    return {
        f"{moment}.{name}": optimizer.state[weight][key].numpy(force=True)
        for name, weight in model.named_parameters()
        for moment, key in _MOMENTS.items()
    }


def restore_moments(model: TreeModel, optimizer: torch.optim.AdamW, tensors: Tensors, step: int) -> None:
    """Give the optimiser the moments that `moment_tensors` returned after so many steps."""
    for name, weight in model.named_parameters():
        optimizer.state[weight] = {"step": torch.tensor(float(step), device=weight.device)} | {
            # In the weight's own layout: the fused optimiser goes through the memory of both side by side.
            key: torch.empty_like(weight, requires_grad=False).copy_(torch.tensor(tensors[f"{moment}.{name}"]))
            for moment, key in _MOMENTS.items()
        }


def to_checkpoints(facts: StateFacts, tensors: Tensors) -> list[Checkpoint]:
    """Return the checkpoints that `taskgraft.evaluators.training_state.outcome_tensors` was given."""
    return [
        Checkpoint(
            best.step,
            best.metrics,
            {task: Outcomes(*tensors[f"outcomes.{place}.{task}"]) for task in best.metrics},
        )
        for place, best in enumerate(facts.best)
    ]


def left_tensors(left: Mapping[str, NDArray[np.int32]]) -> dict[str, NDArray[np.int32]]:
    """Return the clips that are drawn and not yet used, by the place of their corpus: datasets may be renamed."""
    return {f"left.{place}": clips for place, clips in enumerate(left.values())}


def to_left(corpora: Sequence[str], tensors: Tensors) -> dict[str, NDArray[np.int32]]:
    """Return what `left_tensors` was given."""
    return {corpus: tensors[f"left.{place}"] for place, corpus in enumerate(corpora)}


def state_shapes(model: TreeModel, masking: torch.Generator, corpora: int, facts: StateFacts) -> Shapes:
    """Return the tensors that a state of this training has."""
    weights = {name: _shape(tensor) for name, tensor in model.state_dict().items()}
    moments = {f"{moment}.{name}": _shape(weight) for name, weight in model.named_parameters() for moment in _MOMENTS}
    outcomes = {
        f"outcomes.{place}.{task}": ("I32", (len(OUTCOME_COLUMNS), None))
        for place, best in enumerate(facts.best)
        for task in best.metrics
    }
    best = {} if facts.best[-1].step == facts.step else {f"{BEST}.{name}": shape for name, shape in weights.items()}
    return {
        **{f"{MODEL}.{name}": shape for name, shape in weights.items()},
        **best,
        **moments,
        **outcomes,
        **{f"left.{place}": ("I32", (None,)) for place in range(corpora)},
        MASKING: _shape(masking.get_state()),
    }


def _shape(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return _TYPES[tensor.dtype], tuple(tensor.shape)
