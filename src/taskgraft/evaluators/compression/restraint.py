"""What holds weights where pruning has put them: gradients are changed between the losses and the optimiser's step.

A weight of 0 whose gradient has always been 0 stays exactly 0, whatever the optimiser: neither its moments nor the
decay of weights move it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from taskgraft.evaluators.compression.masks import Mask, apply_mask
from taskgraft.evaluators.models.tree_model import TreeModel


class Restraint(Protocol):
    """Changes the gradients of a model after they are known."""

    def restrain(self) -> None:
        """Change the gradients that there are."""


class Masked:
    """Holds pruned weights at 0. Implements `Restraint`."""

    def __init__(self, model: TreeModel, mask: Mask) -> None:
        parameters = dict(model.named_parameters())
        self._held = [(parameters[name], stays.to(parameters[name].device)) for name, stays in mask.items()]
        apply_mask(model, mask)

    def restrain(self) -> None:
        """Take their gradients from pruned weights."""
        for weight, stays in self._held:
            if weight.grad is not None:
                weight.grad.mul_(stays)


class Shared:
    """Makes the kernels of columns one set of weights, of which every column has some. Implements `Restraint`.

    Kernels of one name belong together. Those that are kept in several columns begin with the same values, and all of
    these get the sum of their gradients; so they stay equal, bit for bit, by any optimiser that treats every number
    alone.
    """

    def __init__(self, model: TreeModel, masks: Sequence[tuple[Mapping[str, str], Mask]]) -> None:
        """Take for each column the names of its kernels in the model, by the name they share, and what it keeps."""
        parameters = dict(model.named_parameters())
        self._kernels: list[list[tuple[Tensor, Tensor]]] = []
        for name in masks[0][0]:
            column = [(parameters[names[name]], mask[name]) for names, mask in masks]
            self._kernels.append([(weight, stays.to(weight.device)) for weight, stays in column])
        with torch.no_grad():
            for kernel in self._kernels:
                for weight, stays in kernel:
                    weight.mul_(stays)

    def restrain(self) -> None:
        """Give every kept weight the gradients of all columns that keep it."""
        for kernel in self._kernels:
            known = [weight.grad * stays for weight, stays in kernel if weight.grad is not None]
            if known:
                together = _sum(known)
                for weight, stays in kernel:
                    weight.grad = together * stays


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    found = tensors[0]
    for tensor in tensors[1:]:
        found = found + tensor
    return found
