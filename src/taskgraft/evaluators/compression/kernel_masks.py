"""Masks of single weights: which of the kernels and matrices of the encoder's blocks stay."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from taskgraft.evaluators.compression.masks import Mask


def kernels(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the kernels and matrices of blocks among the tensors of a model: what may be pruned.

    Biases, scales of normalisations and learned positions are not among them, and neither is anything of a head.
    """
    return {name: tensor for name, tensor in weights.items() if is_kernel(name, tensor)}


def is_kernel(name: str, tensor: Tensor | NDArray[Any]) -> bool:
    """Return whether a tensor of a model is a kernel or a matrix of a block."""
    return name.startswith("nodes.") and "weight" in name.rpartition(".")[2] and tensor.ndim > 1


def largest(sizes: Mapping[str, Tensor], keep: int) -> dict[str, Tensor]:
    """Return the mask of the ``keep`` largest of all numbers together; of equal ones, the first stay.

    Raises:
        ValueError: there are fewer numbers than that.
    """
    together = torch.cat([size.flatten() for size in sizes.values()])
    if not 0 <= keep <= len(together):
        raise ValueError(f"there are {len(together)} weights; can't keep {keep}")
    stays = torch.zeros(len(together), dtype=torch.bool)
    stays[torch.argsort(together, descending=True, stable=True)[:keep]] = True
    parts = torch.split(stays, [size.numel() for size in sizes.values()])
    return {name: part.view(size.shape) for (name, size), part in zip(sizes.items(), parts, strict=True)}


def pruned(weights: Mapping[str, Tensor], keep: int) -> dict[str, Tensor]:
    """Return the mask of the ``keep`` kernel weights that are furthest from 0, whichever kernel they are of.

    Weights that an earlier round has pruned are 0, so they stay pruned.
    """
    return largest({name: kernel.abs() for name, kernel in kernels(weights).items()}, keep)


def trimmed(masks: Sequence[Mask], scores: Mapping[str, Tensor], keep: int) -> list[dict[str, Tensor]]:
    """Return several masks of the same kernels, cut so that together they keep no more than ``keep`` weights.

    Those with the smallest ``scores`` are dropped from every mask.
    """
    union = {name: torch.stack([mask[name] for mask in masks]).any(0) for name in scores}
    kept = sum(int(one.sum()) for one in union.values())
    if kept <= keep:
        return [dict(mask) for mask in masks]
    stays = largest({name: torch.where(union[name], score, -1.0) for name, score in scores.items()}, keep)
    return [{name: one & stays[name] for name, one in mask.items()} for mask in masks]


def are_equal(one: Mask, other: Mask) -> bool:
    """Return whether two masks of the same kernels keep the same weights."""
    return all(torch.equal(kept, other[name]) for name, kept in one.items())
