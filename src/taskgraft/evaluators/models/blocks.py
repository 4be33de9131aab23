"""Encoder blocks as torch modules, one builder per kind of layer specification.

Notation: ``n`` clips, ``c`` channels, ``f`` bands, ``t`` frames. Every module takes and gives [n, c, f, t].
"""

import math
from functools import singledispatch

import torch
from torch import Tensor, nn

from taskgraft.evaluators.imported.making import build_imported
from taskgraft.space import filters, layers
from taskgraft.space.imported import ImportedBlock
from taskgraft.space.template import Block


def build_block(spec: Block) -> nn.Module:
    """Return the layers of a block behind each other: [n, c, f, t] -> the shape that the specification says."""
    return _stack(spec.layers)


def _stack(specs: tuple[layers.Layer, ...]) -> nn.Sequential:
    return nn.Sequential(*map(build_layer, specs))


@singledispatch
def build_layer(spec: layers.Layer) -> nn.Module:
    """Return the module of a layer's specification."""
    raise NotImplementedError(f"no module is known for {type(spec).__name__}")


@build_layer.register
def _(spec: layers.Convolution) -> nn.Module:
    return nn.Conv2d(
        spec.in_channels, spec.out_channels, spec.kernel, spec.stride, spec.pads, groups=spec.groups, bias=spec.bias
    )


@build_layer.register
def _(spec: layers.BatchNorm) -> nn.Module:
    return nn.BatchNorm2d(spec.channels)


@build_layer.register
def _(_: layers.Relu) -> nn.Module:
    return nn.ReLU(inplace=True)  # no layer that stands before one needs what it gave for its gradient


@build_layer.register
def _(spec: layers.Dropout) -> nn.Module:
    return nn.Dropout(spec.share)


@build_layer.register
def _(spec: layers.MaxPool) -> nn.Module:
    return nn.MaxPool2d(spec.size, spec.stride, spec.padding)


@build_layer.register
def _(spec: layers.AveragePool) -> nn.Module:
    return nn.AvgPool2d(spec.size, spec.stride, spec.padding)


@build_layer.register
def _(_: layers.BandMean) -> nn.Module:
    return BandMean()


@build_layer.register
def _(_: layers.GlobalResponseNorm) -> nn.Module:
    return GlobalResponseNorm()


@build_layer.register
def _(_: layers.Flatten) -> nn.Module:
    return Flatten()


@build_layer.register
def _(spec: layers.Linear) -> nn.Module:
    return AlongChannels(nn.Linear(spec.in_channels, spec.out_channels))


@build_layer.register
def _(spec: layers.LayerNorm) -> nn.Module:
    return AlongChannels(nn.LayerNorm(spec.channels))


@build_layer.register
def _(spec: layers.Residual) -> nn.Module:
    return Residual(_stack(spec.body), _stack(spec.shortcut))


@build_layer.register
def _(spec: layers.BiLstm) -> nn.Module:
    return BiLstm(spec.inputs, spec.hidden)


@build_layer.register
def _(spec: layers.Positions) -> nn.Module:
    return Positions(spec.channels, spec.bands, spec.frames)


@build_layer.register
def _(spec: layers.TransformerLayer) -> nn.Module:
    return TransformerLayer(spec.channels, spec.heads, spec.hidden)


@build_layer.register
def _(spec: filters.SampleFilters) -> nn.Module:
    return SampleFilters(spec)


@build_layer.register
def _(_: filters.ChannelsAsBands) -> nn.Module:
    return ChannelsAsBands()


@build_layer.register
def _(spec: ImportedBlock) -> nn.Module:
    return build_imported(spec)


class AlongChannels(nn.Module):
    """A module that works on the last axis, applied to the channels of every band and frame."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, f, t] to [n, c', f, t]."""
        outputs: Tensor = self.module(inputs.movedim(1, -1)).movedim(-1, 1)
        return outputs


class BandMean(nn.Module):
    """The mean over the bands."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, f, t] to [n, c, 1, t]."""
        return inputs.mean(2, keepdim=True)


class Flatten(nn.Module):
    """All numbers of a clip as channels."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, f, t] to [n, c * f * t, 1, 1]."""
        return inputs.flatten(1)[:, :, None, None]


class GlobalResponseNorm(nn.Module):
    """``x + gamma x n(x) + beta`` with the L2 norm of each channel over its mean over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, f, t] to the same shape."""
        norm = inputs.pow(2).sum((2, 3), keepdim=True).add(1e-12).sqrt()
        return inputs + self.gamma * inputs * norm / norm.mean(1, keepdim=True) + self.beta


class Residual(nn.Module):
    """The sum of what some layers and a shortcut make of the same input."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, f, t] to the shape behind both paths."""
        total: Tensor = self.body(inputs) + self.shortcut(inputs)
        return total


class BiLstm(nn.Module):
    """A long short-term memory over the frames in both directions."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.recur = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, f, t] to [n, 2 * hidden, 1, t]."""
        hidden, _ = self.recur(inputs.permute(0, 3, 1, 2).flatten(2))  # [n, t, 2 * hidden]
        outputs: Tensor = hidden.transpose(1, 2).unsqueeze(2)
        return outputs


class Positions(nn.Module):
    """Learned numbers of every band and every frame, added to what stands there."""

    def __init__(self, channels: int, bands: int, frames: int) -> None:
        super().__init__()
        self.bands = nn.Parameter(0.02 * torch.randn(channels, bands, 1))
        self.frames = nn.Parameter(0.02 * torch.randn(channels, 1, frames))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, f, t] to the same shape."""
        return inputs + self.bands + self.frames[..., : inputs.shape[-1]]


class TransformerLayer(nn.Module):
    """Self-attention over all bands and frames, then a perceptron; each behind a layer norm, each with a shortcut."""

    def __init__(self, channels: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            channels, heads, hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, f, t] to the same shape."""
        tokens = self.layer(inputs.flatten(2).transpose(1, 2))  # [n, f * t, c]
        outputs: Tensor = tokens.transpose(1, 2).unflatten(2, inputs.shape[2:])
        return outputs


class SampleFilters(nn.Module):
    """Filters over raw samples, whose windows overlap; zeros stand outside the crop."""

    def __init__(self, spec: filters.SampleFilters) -> None:
        super().__init__()
        self.padding = spec.padding
        self.filter = nn.Conv1d(1, spec.filters, spec.window, spec.hop, bias=False)
        with torch.no_grad():
            self.filter.weight.copy_(_waves(spec)[:, None])

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, 1, samples of a frame, t] to [n, filters, 1, t]."""
        samples = inputs.transpose(2, 3).flatten(2)  # [n, 1, samples of the crop]
        outputs: Tensor = self.filter(nn.functional.pad(samples, self.padding)).unsqueeze(2)
        return outputs


def _waves(spec: filters.SampleFilters) -> Tensor:
    """Return waves [filters, window] of random phase, which swell and fade; as large as what torch starts with.

    Their pitches are those of as many mel bands. Zeghidour et al., Learning filterbanks from raw speech, 2018.
    """
    highest = 2_595 * math.log10(1 + spec.sample_rate / 2 / 700)
    mels = torch.linspace(0, highest, spec.filters + 2)[1:-1]
    pitches = 700 * (10 ** (mels / 2_595) - 1)
    times = torch.arange(spec.window) / spec.sample_rate
    phases = torch.rand(spec.filters, 1)
    waves: Tensor = torch.sin(2 * torch.pi * (pitches[:, None] * times + phases)) * torch.hann_window(spec.window)
    return waves.div(3**0.5 * torch.linalg.vector_norm(waves, dim=1, keepdim=True))


class ChannelsAsBands(nn.Module):
    """Channels and bands exchanged."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, 1, t] to [n, 1, c, t]."""
        return inputs.transpose(1, 2)
