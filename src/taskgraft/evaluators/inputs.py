"""From the rows of a feature pack to what the first block sees, one builder per kind of front end.

Notation: ``n`` clips, ``f`` bands, ``t`` frames.
"""

from functools import singledispatch

from torch import Tensor, nn

from taskgraft.evaluators.features import Normalisation
from taskgraft.space import front_ends

_LARGEST, _MIDDLE, _SPREAD = 255.0, 0.5, 0.225


class PictureInput(nn.Module):
    """A crop as a square picture: scaled to 0..255 between its smallest and largest number, resized, centred."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, features: Tensor) -> Tensor:
        """[n, 1, f, t] -> [n, 1, side, side]."""
        lowest, highest = features.amin((2, 3), keepdim=True), features.amax((2, 3), keepdim=True)
        scaled = _LARGEST * (features - lowest) / (highest - lowest).clamp_min(1e-6)
        size = (self.side, self.side)
        resized = nn.functional.interpolate(scaled, size, mode="bicubic", align_corners=False)
        return (resized / _LARGEST - _MIDDLE) / _SPREAD


@singledispatch
def build_input(spec: front_ends.FrontEnd, normalisation: Normalisation) -> nn.Module:
    """Return the module that makes the first block's input of rows [n, 1, f, t]."""
    raise NotImplementedError(f"no module is known for {type(spec).__name__} and {normalisation}")


@build_input.register
def _(_: front_ends.LogMel, normalisation: Normalisation) -> nn.Module:
    return normalisation


@build_input.register
def _(_: front_ends.Mfcc, normalisation: Normalisation) -> nn.Module:
    return normalisation


@build_input.register
def _(_: front_ends.Waveform, normalisation: Normalisation) -> nn.Module:
    return normalisation


@build_input.register
def _(spec: front_ends.Picture, normalisation: Normalisation) -> nn.Module:
    return PictureInput(spec.side)
