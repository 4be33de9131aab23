"""Layers: what the blocks of a template are made of, as plain values.

Shapes are ``(channels, bands, frames)``. A layer says what it makes of a shape, and counts its parameters and
multiply-accumulates; `evaluators/models/blocks.py` builds the torch module of each kind.
"""

from dataclasses import asdict, dataclass
from typing import Any

from taskgraft.errors import InvalidInput

Shape = tuple[int, int, int]
"""Channels, bands, frames."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer without parameters that leaves shapes as they are; each kind says in what it differs."""

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return 0

    @property
    def kernels(self) -> int:
        """Trained numbers in kernels and matrices: all but biases, scales and positions."""
        return 0

    @property
    def time_stride(self) -> int:
        """Frames of its input for each frame of its output."""
        return 1

    @property
    def keeps_time(self) -> bool:
        """Whether there is a time axis behind it."""
        return True

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape behind it.

        Raises:
            InvalidInput: it can't take this shape.
        """
        return shape

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for an input of ``shape``."""
        return 0

    def to_plain(self) -> list[Any]:
        """Return the kind and its values as plain data; equal layers and no others give the same."""
        return [type(self).__name__, asdict(self)]


@dataclass(frozen=True, slots=True)
class Convolution(Layer):
    """A convolution; ``kernel``, ``stride`` and ``padding`` are (bands, frames), the last by default half a kernel."""

    in_channels: int
    out_channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] | None = None
    groups: int = 1
    bias: bool = False

    @property
    def pads(self) -> tuple[int, int]:
        """Zeros on each side of bands and frames."""
        return self.padding or (self.kernel[0] // 2, self.kernel[1] // 2)

    @property
    def kernels(self) -> int:
        """One number for each place of a kernel and pair of channels."""
        return self.kernel[0] * self.kernel[1] * self.in_channels // self.groups * self.out_channels

    @property
    def parameters(self) -> int:
        """Weights, and a bias for each channel if it has them."""
        return self.kernels + self.out_channels * self.bias

    @property
    def time_stride(self) -> int:
        """Frames of its input for each frame of its output."""
        return self.stride[1]

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape behind it.

        Raises:
            InvalidInput: it has another number of channels, or is smaller than the kernel.
        """
        _check_channels(self.in_channels, shape)
        bands, frames = _slid(shape[1:], self.kernel, self.stride, self.pads)
        return self.out_channels, bands, frames

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for an input of ``shape``."""
        _, bands, frames = self.output_shape(shape)
        return bands * frames * self.kernels


@dataclass(frozen=True, slots=True)
class BatchNorm(Layer):
    """Batch normalisation with scale and shift for each channel. Folded into its convolution on a device: no MACs."""

    channels: int

    @property
    def parameters(self) -> int:
        """Scale and shift."""
        return 2 * self.channels

    def output_shape(self, shape: Shape) -> Shape:
        """Return the same shape.

        Raises:
            InvalidInput: it has another number of channels.
        """
        _check_channels(self.channels, shape)
        return shape


@dataclass(frozen=True, slots=True)
class Relu(Layer):
    """The larger of each number and 0."""


@dataclass(frozen=True, slots=True)
class Dropout(Layer):
    """Sets this share of the numbers to 0 while it is trained."""

    share: float = 0.5


@dataclass(frozen=True, slots=True)
class _Pool(Layer):
    """One number for each window; ``size``, ``stride`` and ``padding`` are (bands, frames)."""

    size: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)
    padding: tuple[int, int] = (0, 0)

    @property
    def time_stride(self) -> int:
        """Frames of its input for each frame of its output."""
        return self.stride[1]

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape behind it.

        Raises:
            InvalidInput: it is smaller than a window.
        """
        bands, frames = _slid(shape[1:], self.size, self.stride, self.padding)
        return shape[0], bands, frames


@dataclass(frozen=True, slots=True)
class MaxPool(_Pool):
    """The largest number of each window."""


@dataclass(frozen=True, slots=True)
class AveragePool(_Pool):
    """The mean of each window."""


@dataclass(frozen=True, slots=True)
class BandMean(Layer):
    """The mean over the bands."""

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape with a single band."""
        return shape[0], 1, shape[2]


@dataclass(frozen=True, slots=True)
class GlobalResponseNorm(Layer):
    """``x + gamma x n(x) + beta`` with the L2 norm of each channel over its mean over channels; two numbers.

    Schmid et al., DCASE 2023.
    """

    @property
    def parameters(self) -> int:
        """Gamma and beta."""
        return 2


@dataclass(frozen=True, slots=True)
class Flatten(Layer):
    """All numbers as channels: behind it there is no time axis."""

    @property
    def keeps_time(self) -> bool:
        """False."""
        return False

    def output_shape(self, shape: Shape) -> Shape:
        """Return as many channels as there are numbers."""
        return shape[0] * shape[1] * shape[2], 1, 1


@dataclass(frozen=True, slots=True)
class Linear(Layer):
    """The same linear map, with bias, of the channels of every band and frame."""

    in_channels: int
    out_channels: int

    @property
    def kernels(self) -> int:
        """The matrix."""
        return self.in_channels * self.out_channels

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.kernels + self.out_channels

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape with its output channels.

        Raises:
            InvalidInput: it has another number of channels.
        """
        _check_channels(self.in_channels, shape)
        return self.out_channels, shape[1], shape[2]

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for an input of ``shape``."""
        return shape[1] * shape[2] * self.in_channels * self.out_channels


@dataclass(frozen=True, slots=True)
class Residual(Layer):
    """The sum of what some layers and a shortcut make of the same input; without layers, the shortcut is the input."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    @property
    def kernels(self) -> int:
        """Those of all layers."""
        return sum(layer.kernels for layer in (*self.body, *self.shortcut))

    @property
    def parameters(self) -> int:
        """Those of all layers."""
        return sum(layer.parameters for layer in (*self.body, *self.shortcut))

    @property
    def time_stride(self) -> int:
        """Frames of its input for each frame of its output."""
        return time_stride(self.body)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape behind it.

        Raises:
            InvalidInput: the two paths end with different shapes.
        """
        body, shortcut = shapes(self.body, shape)[-1], shapes(self.shortcut, shape)[-1]
        if body != shortcut:
            raise InvalidInput.at("blocks", f"a shortcut ends with the shape of its layers, {body}; got {shortcut}")
        return body

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates of both paths."""
        return macs(self.body, shape) + macs(self.shortcut, shape)

    def to_plain(self) -> list[Any]:
        """Return the kind and the layers of both paths as plain data."""
        return [type(self).__name__, *([layer.to_plain() for layer in path] for path in (self.body, self.shortcut))]


@dataclass(frozen=True, slots=True)
class BiLstm(Layer):
    """A long short-term memory over the frames in both directions: channels times bands in, twice ``hidden`` out."""

    inputs: int
    hidden: int

    @property
    def kernels(self) -> int:
        """Two matrices of four gates, for each direction."""
        return 2 * 4 * self.hidden * (self.inputs + self.hidden)

    @property
    def parameters(self) -> int:
        """Four gates with two biases each (as PyTorch counts), for each direction."""
        return self.kernels + 2 * 4 * self.hidden * 2

    def output_shape(self, shape: Shape) -> Shape:
        """Return both directions' hidden numbers of each frame.

        Raises:
            InvalidInput: it has another number of channels times bands.
        """
        if shape[0] * shape[1] != self.inputs:
            raise InvalidInput.at(
                "blocks", f"{self.inputs} inputs a frame behind {shape[0]} channels x {shape[1]} bands"
            )
        return 2 * self.hidden, 1, shape[2]

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for an input of ``shape``."""
        return shape[2] * self.kernels


@dataclass(frozen=True, slots=True)
class Positions(Layer):
    """Learned numbers that are added to every channel of each band, and of each of at most ``frames`` frames."""

    channels: int
    bands: int
    frames: int

    @property
    def parameters(self) -> int:
        """One number a channel for each band and each frame."""
        return self.channels * (self.bands + self.frames)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the same shape.

        Raises:
            InvalidInput: it has other channels or bands, or more frames than there are positions.
        """
        if shape[:2] != (self.channels, self.bands) or shape[2] > self.frames:
            most = (self.channels, self.bands, self.frames)
            raise InvalidInput.at("blocks", f"positions are for {most} (the last at most); got {shape}")
        return shape


@dataclass(frozen=True, slots=True)
class LayerNorm(Layer):
    """Normalises the channels of each band and frame, with scale and shift for each channel."""

    channels: int

    @property
    def parameters(self) -> int:
        """Scale and shift."""
        return 2 * self.channels

    def output_shape(self, shape: Shape) -> Shape:
        """Return the same shape.

        Raises:
            InvalidInput: it has another number of channels.
        """
        _check_channels(self.channels, shape)
        return shape


@dataclass(frozen=True, slots=True)
class TransformerLayer(Layer):
    """Self-attention over all bands and frames, then a perceptron; each behind a layer norm, each with a shortcut.

    Dosovitskiy et al. 2021.
    """

    channels: int
    heads: int
    hidden: int

    @property
    def kernels(self) -> int:
        """Four projections and the perceptron's two."""
        return 4 * self.channels * self.channels + 2 * self.channels * self.hidden

    @property
    def parameters(self) -> int:
        """Two layer norms, four projections and the perceptron's two, all with bias."""
        width = self.channels
        return self.kernels + 4 * width + 4 * width + self.hidden + width

    def output_shape(self, shape: Shape) -> Shape:
        """Return the same shape.

        Raises:
            InvalidInput: it has another number of channels.
        """
        _check_channels(self.channels, shape)
        return shape

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for an input of ``shape``."""
        tokens, width = shape[1] * shape[2], self.channels
        return tokens * self.kernels + 2 * tokens * tokens * width


def shapes(layers: tuple[Layer, ...], shape: Shape) -> list[Shape]:
    """Return the shape before each layer and that behind the last.

    Raises:
        InvalidInput: a layer can't take what the one before it gives.
    """
    found = [shape]
    for layer in layers:
        found.append(layer.output_shape(found[-1]))
    return found


def macs(layers: tuple[Layer, ...], shape: Shape) -> int:
    """Return the multiply-accumulates of layers behind each other."""
    return sum(layer.macs(before) for layer, before in zip(layers, shapes(layers, shape), strict=False))


def time_stride(layers: tuple[Layer, ...]) -> int:
    """Return the frames before layers behind each other for each frame behind them."""
    stride = 1
    for layer in layers:
        stride *= layer.time_stride
    return stride


def _check_channels(channels: int, shape: Shape) -> None:
    if shape[0] != channels:
        raise InvalidInput.at("blocks", f"{channels} input channels behind {shape[0]} output channels")


def _slid(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> tuple[int, int]:
    """Return how many windows there are over bands and frames."""
    bands, frames = (
        (length + 2 * pad - window) // step + 1
        for length, window, step, pad in zip(size, kernel, stride, padding, strict=True)
    )
    if min(bands, frames) < 1:
        raise InvalidInput.at("blocks", f"{size[0]} bands x {size[1]} frames are smaller than a window of {kernel}")
    return bands, frames
