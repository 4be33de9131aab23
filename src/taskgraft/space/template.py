"""Templates: the encoders that every model is cut from, as plain values.

Shapes here are ``(bands, frames)``: the two axes of a log-mel picture, frequency first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from taskgraft.errors import InvalidInput
from taskgraft.space.tasks import Task, TaskKind


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """How a waveform becomes log-mel frames; all lengths in samples.

    The last frame of a clip is the last one whose window still touches the clip: whatever is padded behind a clip
    gives frames of pure silence, so padding the waveform and padding the frames are the same thing.
    """

    sample_rate: int = 16_000
    window: int = 400
    hop: int = 160
    fft: int = 512
    bands: int = 64

    @property
    def frames_per_second(self) -> float:
        """Log-mel frames in one second of audio."""
        return self.sample_rate / self.hop

    def frames(self, samples: int) -> int:
        """Return how many frames ``samples`` samples of audio touch."""
        return -(-(samples + self.fft // 2) // self.hop)


@dataclass(frozen=True, slots=True)
class ConvBlock:
    """Convolution without bias, batch normalisation, ReLU; ``kernel`` (odd) and ``stride`` are (bands, frames)."""

    in_channels: int
    out_channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)

    @property
    def parameters(self) -> int:
        """Weights of the convolution plus scale and shift of the normalisation."""
        return self._weights + 2 * self.out_channels

    @property
    def _weights(self) -> int:
        return self.kernel[0] * self.kernel[1] * self.in_channels * self.out_channels

    def output_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return (bands, frames) behind this block from those before it: "same" padding, then the stride."""
        return -(-shape[0] // self.stride[0]), -(-shape[1] // self.stride[1])

    def macs(self, shape: tuple[int, int]) -> int:
        """Return the multiply-accumulates for an input of ``shape``."""
        bands, frames = self.output_shape(shape)
        return bands * frames * self._weights


@dataclass(frozen=True, slots=True)
class AttentionHead:
    """Temporal attention for ``clip`` tasks: project to ``hidden``, weigh the time steps, classify the weighted sum."""

    hidden: int

    def parameters(self, features: int, outputs: int) -> int:
        """Return the parameters of projection, attention scores and classifier, all with bias."""
        return (features + 1) * self.hidden + (self.hidden + 1) + (self.hidden + 1) * outputs

    def macs(self, features: int, steps: int, outputs: int) -> int:
        """Return the multiply-accumulates for ``steps`` time steps of ``features`` numbers."""
        return steps * (features * self.hidden + 2 * self.hidden) + self.hidden * outputs


@dataclass(frozen=True, slots=True)
class GruHead:
    """A one-directional gated recurrent unit for ``frames`` tasks, then one score per time step."""

    hidden: int

    def parameters(self, features: int, outputs: int) -> int:
        """Return the parameters of three gates with two biases each (as PyTorch counts), and of the output layer."""
        return 3 * self.hidden * (features + self.hidden + 2) + (self.hidden + 1) * outputs

    def macs(self, features: int, steps: int, outputs: int) -> int:
        """Return the multiply-accumulates for ``steps`` time steps of ``features`` numbers."""
        return steps * self.hidden * (3 * (features + self.hidden) + outputs)


Head = AttentionHead | GruHead


@dataclass(frozen=True, slots=True)
class Template:
    """An encoder as a stack of blocks, the front end before it and the heads behind it.

    Raises:
        InvalidInput: no blocks, channels that do not fit together, or a kind of task without a head.
    """

    name: str
    front_end: FrontEnd
    blocks: tuple[ConvBlock, ...]
    heads: Mapping[TaskKind, Head] = field(hash=False)
    summary: str = ""

    def __post_init__(self) -> None:
        if not self.blocks or self.blocks[0].in_channels != 1:
            raise InvalidInput.at("blocks", "a template has at least one block, the first with 1 input channel")
        for before, after in zip(self.blocks, self.blocks[1:], strict=False):
            if before.out_channels != after.in_channels:
                raise InvalidInput.at(
                    "blocks", f"{after.in_channels} input channels behind {before.out_channels} output channels"
                )
        if missing := [kind for kind in TaskKind if kind not in self.heads]:
            raise InvalidInput.at("heads", f"no head for {missing}")
        object.__setattr__(self, "heads", MappingProxyType(dict(self.heads)))

    def __reduce__(self) -> tuple[type["Template"], tuple[object, ...]]:
        return type(self), (self.name, self.front_end, self.blocks, dict(self.heads), self.summary)

    @property
    def depth(self) -> int:
        """B, the number of blocks."""
        return len(self.blocks)

    @property
    def default_depths(self) -> tuple[int, ...]:
        """The upper half of the depths: what a study tries where it does not say (4..8 of 8)."""
        return tuple(range(max(1, self.depth // 2), self.depth + 1))

    @property
    def time_stride(self) -> int:
        """Log-mel frames that one time step of the heads stands for."""
        stride = 1
        for block in self.blocks:
            stride *= block.stride[1]
        return stride

    @property
    def features(self) -> int:
        """Numbers that a head sees per time step: channels times bands behind the last block."""
        return self.blocks[-1].out_channels * self.shapes(1)[-1][0]

    def shapes(self, frames: int) -> list[tuple[int, int]]:
        """Return (bands, frames) before each block and behind the last: B + 1 shapes, for ``frames`` log-mel frames."""
        shapes = [(self.front_end.bands, frames)]
        for block in self.blocks:
            shapes.append(block.output_shape(shapes[-1]))
        return shapes

    def head(self, task: Task) -> Head:
        """Return the head that answers ``task``."""
        return self.heads[task.kind]


def _cnn8() -> Template:
    """Build eight convolutions for a study's usual questions; sized after the published four-task template."""
    channels = (1, 16, 16, 19, 21, 21, 21, 21, 21)
    strides = ((2, 2), (2, 2), (1, 1), (2, 1), (1, 1), (2, 1), (1, 1), (1, 1))
    return Template(
        name="cnn8",
        front_end=FrontEnd(),
        blocks=tuple(
            ConvBlock(before, after, stride=stride)
            for before, after, stride in zip(channels, channels[1:], strides, strict=False)
        ),
        heads={TaskKind.CLIP: AttentionHead(hidden=32), TaskKind.FRAMES: GruHead(hidden=28)},
        summary="8 convolutional blocks on 64 log-mel bands; 25k parameters per encoder, one time step per 40 ms",
    )


TEMPLATES: Mapping[str, Template] = MappingProxyType({template.name: template for template in (_cnn8(),)})


def get_template(name: str) -> Template:
    """Return the template of that name.

    Raises:
        InvalidInput: there is none; the message lists those there are.
    """
    if name not in TEMPLATES:
        raise InvalidInput.at("template", f"no template {name!r}; there is {', '.join(sorted(TEMPLATES))}")
    return TEMPLATES[name]
