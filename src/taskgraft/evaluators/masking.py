"""Masks over the features of a batch: a model that sees a part of each clip learns more than a few telling places.

Notation: ``n`` clips, ``f`` bands, ``t`` frames.
"""

import torch
from torch import Tensor


def mask_axes_(features: Tensor, share: float, generator: torch.Generator) -> None:
    """Fill one stretch of bands and one of frames per clip with the mean (0), in place; features [n, 1, f, t].

    They are normalised. A mask covers at most ``share`` of its axis.

    As torchaudio's ``mask_along_axis_iid``, which can't be given a generator. Source: Park et al., SpecAugment, 2019.
    """
    draws = torch.rand(2, 2, len(features), 1, generator=generator)  # widths and starts, of bands and of frames
    for axis, (width, start) in zip((2, 3), draws, strict=True):
        size = features.shape[axis]
        widths = (width * (int(size * share) + 1)).floor()  # [n, 1]
        starts = (start * (size - widths + 1)).floor()
        places = torch.arange(size)
        kept = (places < starts) | (places >= starts + widths)  # [n, size]
        kept = kept.to(features.device)
        features *= kept[:, None, :, None] if axis == 2 else kept[:, None, None, :]
