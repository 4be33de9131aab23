"""White noise in training clips, at a ratio of energies that is drawn for each: one way of adding it per kind of rows.

The noise is drawn as samples, from one generator, on the processor. It covers what the clip covers of its crop; the
silence around short clips stays silent, as it is around a noisy clip that is evaluated.

Notation: ``n`` clips, ``f`` bands or samples of a frame, ``t`` frames.
"""

from collections.abc import Callable
from functools import singledispatch

import torch
from torch import Tensor

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.batches import Batch
from taskgraft.evaluators.features import FLOOR, LogMel
from taskgraft.space import front_ends

Adding = Callable[[Tensor, Tensor, Tensor, torch.Generator], None]
"""Adds noise to rows [n, 1, f, t] in place, within the frames [n, 1, 1, t] of the clips, at ratios [n, 1, 1, 1] of the
noise's energy to the clip's."""


class Noise:
    """Adds noise at a signal-to-noise ratio that is drawn uniformly, in decibels, for each clip.

    Raises:
        InvalidInput: the front end's rows take no noise.
    """

    def __init__(self, front_end: front_ends.FrontEnd, lowest: float, highest: float) -> None:
        self._add = build_adding(front_end)
        self._lowest, self._highest = lowest, highest

    def add_(self, batch: Batch, generator: torch.Generator) -> None:
        """Add noise to the features of a batch, in place, before they are scaled."""
        drawn = torch.rand(len(batch.features), 1, 1, 1, generator=generator)
        decibels = self._lowest + (self._highest - self._lowest) * drawn
        ratios = (10 ** (-decibels / 10)).to(batch.features.device)
        self._add(batch.features, batch.inside[:, None, None, :], ratios, generator)


@singledispatch
def build_adding(front_end: front_ends.FrontEnd) -> Adding:
    """Return how noise is added to the rows of a front end.

    Raises:
        InvalidInput: it can't be.
    """
    raise InvalidInput.at("training.noise", f"is not for {type(front_end).__name__}: its rows have no energies")


@build_adding.register
def _(_: front_ends.Waveform) -> Adding:
    return _add_samples_


@build_adding.register(front_ends.LogMel)
@build_adding.register(front_ends.Picture)
def _(front_end: front_ends.Mel) -> Adding:
    return MelNoise(front_end)


def _add_samples_(rows: Tensor, inside: Tensor, ratios: Tensor, generator: torch.Generator) -> None:
    """Add noise to samples."""
    noise = torch.randn(rows.shape, generator=generator).to(rows.device) * inside
    rows.add_(_gains(rows.square(), noise.square(), ratios).sqrt() * noise)


class MelNoise:
    """Adds the mel energies of noise to those of clips.

    That is what the sum of both sounds has on average: of energies, unlike samples, the product of both is left out.
    """

    def __init__(self, front_end: front_ends.Mel) -> None:
        self._log_mel = LogMel(front_end)
        self._hop = front_end.hop
        self._edge = -(-front_end.fft // 2 // front_end.hop)
        """Frames at either end of some noise whose windows see the silence around it."""

    def __call__(self, rows: Tensor, inside: Tensor, ratios: Tensor, generator: torch.Generator) -> None:
        """Add noise to logarithms of mel energies."""
        energies = rows.exp()
        noise = self._energies(len(rows), rows.shape[-1], generator).to(rows.device) * inside
        gains = _gains((energies - FLOOR).clamp_min(0) * inside, noise, ratios)
        rows.copy_(torch.where(inside, (energies + gains * noise).log(), rows))

    def _energies(self, clips: int, frames: int, generator: torch.Generator) -> Tensor:
        """Return mel energies [n, 1, f, t] of noise."""
        samples = torch.randn(clips, (frames + 2 * self._edge) * self._hop, generator=generator)
        energies: Tensor = self._log_mel(samples).exp() - FLOOR
        return energies[:, None, :, self._edge : self._edge + frames].clamp_min(0)


def _gains(energies: Tensor, noise: Tensor, ratios: Tensor) -> Tensor:
    """Return what the noise's energies are multiplied by to be at these ratios to the clips'; all as [n, 1, ...]."""
    return ratios * energies.sum((1, 2, 3), keepdim=True) / noise.sum((1, 2, 3), keepdim=True).clamp_min(1e-20)
