"""Masks: which numbers of a model's parameters are kept."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

Mask = Mapping[str, Tensor]
"""For names of parameters, tensors of their shape (bool) that are False for what is removed.

A parameter that is not named is whole.
"""


def apply_mask(model: nn.Module, mask: Mask) -> None:
    """Set what is removed to exactly 0, in place.

    Raises:
        KeyError: the model has no such parameter.
    """
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, kept in mask.items():
            parameters[name].masked_fill_(~kept.to(parameters[name].device), 0.0)


def kept_parameters(model: nn.Module, mask: Mask) -> int:
    """Return how many numbers of the model's parameters are kept."""
    return sum(
        int(mask[name].sum()) if name in mask else parameter.numel() for name, parameter in model.named_parameters()
    )
