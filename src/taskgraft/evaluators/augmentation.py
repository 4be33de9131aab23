"""What is done to the features of a training batch, so that a model does not learn single clips by heart.

All of it is drawn from one generator, on the processor. What is off draws nothing.

Notation: ``n`` clips, ``f`` bands, ``t`` frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from taskgraft.evaluators.batches import Batch
from taskgraft.evaluators.recipe import MaskWidth

_MIXSTYLE_ALPHA = 0.3
"""Of the Beta distribution that styles are mixed by. Schmid et al., DCASE 2023."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """Clips that were mixed with other clips of their dataset: what each task's targets count, and the others'."""

    share: float
    """Of a clip itself, 0..1; the rest is of its partner."""
    partners: Mapping[str, Tensor]
    """For each task, the places among its targets that the partners have."""


def mask_axes_(
    features: Tensor,
    share: float,
    generator: torch.Generator,
    width: MaskWidth = MaskWidth.UNIFORM,
    has_bands: bool = True,
) -> None:
    """Fill one stretch of bands and one of frames per clip with the mean (0), in place; features [n, 1, f, t].

    They are normalised. A mask covers at most ``share`` of its axis, or just so much. Without bands, only frames have
    masks.

    As torchaudio's ``mask_along_axis_iid``, which can't be given a generator. Source: Park et al., SpecAugment, 2019.
    """
    draws = torch.rand(2, 2, len(features), 1, generator=generator)  # widths and starts, of bands and of frames
    for axis, (drawn, start) in list(zip((2, 3), draws, strict=True))[0 if has_bands else 1 :]:
        size = features.shape[axis]
        largest = int(size * share)
        widths = (drawn * (largest + 1)).floor() if width is MaskWidth.UNIFORM else torch.full_like(drawn, largest)
        starts = (start * (size - widths + 1)).floor()  # [n, 1]
        places = torch.arange(size)
        kept = (places < starts) | (places >= starts + widths)  # [n, size]
        kept = kept.to(features.device)
        features *= kept[:, None, :, None] if axis == 2 else kept[:, None, None, :]


def mix_clips_(features: Tensor, batch: Batch, alpha: float, generator: torch.Generator) -> Mixed:
    """Mix every clip with another of its dataset, in place, by one share of Beta(alpha, alpha); features [n, 1, f, t].

    The loss is mixed by the same share (Zhang et al., mixup, 2018).
    """
    share = float(_beta(alpha, 1, generator))
    places: dict[int, Tensor] = {}
    partner = torch.arange(len(features))
    for rows in batch.rows.values():
        if id(rows) not in places:  # tasks of one dataset share their rows
            places[id(rows)] = torch.randperm(len(rows), generator=generator)
            partner[rows.cpu()] = rows.cpu()[places[id(rows)]]
    features.copy_(share * features + (1 - share) * features[partner.to(features.device)])
    return Mixed(share, {name: places[id(rows)] for name, rows in batch.rows.items()})


def mix_styles_(features: Tensor, chance: float, generator: torch.Generator) -> None:
    """Mix mean and deviation of every band with those of another clip, in place; features [n, 1, f, t].

    The whole batch at once, with this chance (Kim et al. 2022; Schmid et al., DCASE 2023).
    """
    if torch.rand((), generator=generator) >= chance:
        return
    share = _beta(_MIXSTYLE_ALPHA, len(features), generator).reshape(-1, 1, 1, 1).to(features.device)
    partner = torch.randperm(len(features), generator=generator).to(features.device)
    mean = features.mean((1, 3), keepdim=True)  # [n, 1, f, 1]
    deviation = (features.var((1, 3), keepdim=True) + 1e-6).sqrt()
    mixed_mean = share * mean + (1 - share) * mean[partner]
    mixed_deviation = share * deviation + (1 - share) * deviation[partner]
    features.sub_(mean).div_(deviation).mul_(mixed_deviation).add_(mixed_mean)


def _beta(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    """Return draws [count] of Beta(alpha, alpha): torch's own can't be given a generator."""
    gammas = torch._standard_gamma(torch.full((2, count), alpha, dtype=torch.float64), generator=generator)
    return (gammas[0] / gammas.sum(0).clamp_min(1e-300)).float()
