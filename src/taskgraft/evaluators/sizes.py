"""What tensors weigh: as they are stored, and packed as values and bit masks after pruning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.compression.kernel_masks import is_kernel

_BYTES_OF_VALUE = 4
"""A number that pruning has left, as float32."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of some tensors.

    ``stored_bytes`` is the size of the dense tensors, and ``packed_bytes`` that of values and bit masks: of a tensor
    that pruning has taken numbers from, 4 bytes for each number that is left, and one bit for each that there was; any
    other tensor is stored as it is. ``pruned`` is how many numbers are gone.
    """

    stored_bytes: int
    packed_bytes: int
    pruned: int = 0

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[Any]], *, is_pruned: bool = False) -> Self:
        """Return the sizes of tensors; with ``is_pruned``, zeros in kernels and matrices are what pruning has left.

        Names are those of a `TreeModel`. What is no kernel of a block is never pruned, and may have zeros of its own.
        """
        sizes = [_of_one(tensor, is_pruned=is_pruned and is_kernel(name, tensor)) for name, tensor in tensors.items()]
        return cls(*(sum(figures) for figures in zip(*sizes, strict=True))) if sizes else cls(0, 0)

    @classmethod
    def of_columns(cls, tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Return the sizes of columns that share their kernels, each by a mask of its own (`SharedTickets`).

        A number that several columns keep is one number; each column has its bits of every kernel. ``pruned`` is how
        many numbers fewer there are than in the dense tensors. Names are those of a `TreeModel`.
        """
        kernels: dict[str, list[NDArray[Any]]] = {}
        others = {}
        for name, tensor in tensors.items():
            if is_kernel(name, tensor):
                kernels.setdefault(name.split(".", 2)[2], []).append(tensor)
            else:
                others[name] = tensor
        rest = cls.of(others)
        union = sum(int(np.count_nonzero(np.any(np.stack(one) != 0, axis=0))) for one in kernels.values())
        dense = [kernel for one in kernels.values() for kernel in one]
        return cls(
            rest.stored_bytes + sum(kernel.nbytes for kernel in dense),
            rest.packed_bytes + _BYTES_OF_VALUE * union + sum(-(-kernel.size // 8) for kernel in dense),
            sum(kernel.size for kernel in dense) - union,
        )


def _of_one(tensor: NDArray[Any], *, is_pruned: bool) -> tuple[int, int, int]:
    """Return bytes as stored, bytes packed, and numbers that are gone."""
    gone = tensor.size - int(np.count_nonzero(tensor)) if is_pruned else 0
    packed = _BYTES_OF_VALUE * (tensor.size - gone) + -(-tensor.size // 8) if gone else tensor.nbytes
    return tensor.nbytes, packed, gone
