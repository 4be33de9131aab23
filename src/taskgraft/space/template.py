"""Templates: the encoders that every model is cut from, as plain values.

Shapes here are ``(channels, bands, frames)``: frequency before time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from taskgraft.errors import InvalidInput
from taskgraft.space import layers
from taskgraft.space.front_ends import AnyFrontEnd
from taskgraft.space.gates import NO_GATE, Gate
from taskgraft.space.heads import Head
from taskgraft.space.imported import ImportedEncoder
from taskgraft.space.layers import BatchNorm, Convolution, Layer, Relu, Shape
from taskgraft.space.named_heads import head_of
from taskgraft.space.published import Published
from taskgraft.space.tasks import Answer, Task, TaskKind


@dataclass(frozen=True, slots=True)
class Block:
    """Layers behind each other: the unit that trees branch behind."""

    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """Trained numbers of all layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def kernels(self) -> int:
        """Trained numbers in kernels and matrices of all layers: what can be pruned."""
        return sum(layer.kernels for layer in self.layers)

    @property
    def time_stride(self) -> int:
        """Frames before the block for each frame behind it."""
        return layers.time_stride(self.layers)

    @property
    def keeps_time(self) -> bool:
        """Whether there is a time axis behind it."""
        return all(layer.keeps_time for layer in self.layers)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape behind it.

        Raises:
            InvalidInput: it can't take this shape.
        """
        return layers.shapes(self.layers, shape)[-1]

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for an input of ``shape``."""
        return layers.macs(self.layers, shape)

    def to_plain(self) -> Any:
        """Return plain data that equal blocks and no others give."""
        return [layer.to_plain() for layer in self.layers]


def conv_block(
    in_channels: int, out_channels: int, kernel: tuple[int, int] = (3, 3), stride: tuple[int, int] = (1, 1)
) -> Block:
    """Return convolution without bias, batch normalisation and ReLU; ``kernel`` and ``stride`` are (bands, frames)."""
    return Block((Convolution(in_channels, out_channels, kernel, stride), BatchNorm(out_channels), Relu()))


def conv_blocks(channels: Sequence[int], strides: Sequence[tuple[int, int]]) -> tuple[Block, ...]:
    """Return 3x3 blocks that end with these channels and have these strides; the first one sees a single channel."""
    layout = zip((1, *channels), channels, strides, strict=False)
    return tuple(conv_block(before, after, stride=stride) for before, after, stride in layout)


@dataclass(frozen=True, slots=True)
class Template:
    """An encoder as a stack of blocks, the front end before it and the heads behind it.

    A kind of task whose `Answer` has no head can't be asked of this encoder. If there is none that also pools its time
    steps, the one for time steps takes its place.

    Raises:
        InvalidInput: no blocks, blocks that do not fit together, or heads for time steps behind blocks without a time
            axis.
    """

    name: str
    front_end: AnyFrontEnd
    blocks: tuple[Block, ...]
    heads: Mapping[Answer, Head]
    summary: str = ""
    width: float = 1.0
    """How many times the channels of the full encoder its layers have."""
    published: tuple[Published, ...] = ()
    """What sources print about models with this encoder."""
    imported: ImportedEncoder | None = None
    """What was measured of a user's own encoder, if it is one."""
    gate: Gate = NO_GATE
    """What lies between the blocks and the heads."""
    encoded: Shape = field(init=False, repr=False, compare=False)
    """The shape behind the last block, for one second of audio or the only crop."""
    block_parameters: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """Trained numbers that tasks share with each block: its own, and with the first those of the gate."""

    def __post_init__(self) -> None:
        if not self.blocks:
            raise InvalidInput.at("blocks", "a template has at least one block")
        if not self.heads:
            raise InvalidInput.at("heads", "a template has a head for at least one kind of task")
        if any(answer.needs_time for answer in self.heads) and not self.keeps_time:
            raise InvalidInput.at("heads", "no head for time steps behind blocks without a time axis")
        object.__setattr__(self, "encoded", self.shapes(self.frames)[-1])
        object.__setattr__(self, "block_parameters", self._block_parameters())
        object.__setattr__(self, "heads", MappingProxyType(dict(self.heads)))

    def __reduce__(self) -> tuple[type["Template"], tuple[object, ...]]:
        values = (self.name, self.front_end, self.blocks, dict(self.heads), self.summary, self.width, self.published)
        return type(self), (*values, self.imported, self.gate)

    def __hash__(self) -> int:
        return hash((self.name, self.width))

    @property
    def depth(self) -> int:
        """B, the number of blocks."""
        return len(self.blocks)

    @property
    def default_depths(self) -> tuple[int, ...]:
        """The upper half of the depths: what a study tries where it does not say (4..8 of 8)."""
        return tuple(range(max(1, self.depth // 2), self.depth + 1))

    @property
    def encoder_parameters(self) -> int:
        """Trained numbers of all blocks, and of the gate."""
        return sum(self.block_parameters)

    @property
    def kernels(self) -> int:
        """Trained numbers in kernels and matrices of all blocks: what can be pruned."""
        return sum(block.kernels for block in self.blocks)

    @property
    def macs_per_second(self) -> int:
        """Multiply-accumulates of all blocks for one second of audio, or for the only crop that there is."""
        return sum(block.macs(shape) for block, shape in zip(self.blocks, self.shapes(self.frames), strict=False))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers behind each other."""
        return tuple(layer for block in self.blocks for layer in block.layers)

    @property
    def frames(self) -> int:
        """Frames of the front end for one second of audio, or in the only crop that it takes."""
        return self.front_end.crop or round(self.front_end.frames_per_second)

    @property
    def keeps_time(self) -> bool:
        """Whether there is a time axis behind the last block."""
        return all(block.keeps_time for block in self.blocks)

    @property
    def time_stride(self) -> int:
        """Frames of the front end that one time step of the heads stands for."""
        stride = 1
        for block in self.blocks:
            stride *= block.time_stride
        return stride

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a user has to know of its figures."""
        imported = self.imported.remarks if self.imported else ()
        return *imported, *self.gate.remarks(self.encoded, sum(block.parameters for block in self.blocks))

    def _block_parameters(self) -> tuple[int, ...]:
        first, *others = (block.parameters for block in self.blocks)
        return first + self.gate.shared_parameters(self.encoded), *others

    def shapes(self, frames: int) -> list[Shape]:
        """Return the shape before each block and behind the last: B + 1 shapes, for so many frames of the front end.

        Raises:
            InvalidInput: a block can't take what the one before it gives.
        """
        shapes = [self.front_end.shape(frames)]
        for block in self.blocks:
            shapes.append(block.output_shape(shapes[-1]))
        return shapes

    @property
    def why_no_steps(self) -> str:
        """Why no head behind it can answer for time steps; the empty text if one can."""
        if self.front_end.crop:
            return "a picture has no time steps"
        if self.imported:
            return self.imported.why_no_steps
        return "" if self.keeps_time else "it has no time axis behind its blocks"

    def head(self, task: Task) -> Head:
        """Return the head that answers ``task``: the one that it names, or the template's own.

        Raises:
            InvalidInput: there is none for this kind of task.
        """
        if task.head:
            why = self.why_no_steps
            return head_of(task, task.head, why and f"{self.name} has none: {why}")
        head = self.head_for(task.kind)
        if head is None:
            needs_steps = task.kind.form.answer.needs_time and self.why_no_steps
            reason = f": {self.why_no_steps}" if needs_steps else ""
            raise InvalidInput.at("template", f"{self.name} has no head for {task.kind.value} tasks{reason}")
        return head

    def head_for(self, kind: TaskKind) -> Head | None:
        """Return its own head for tasks of a kind; None if there is none."""
        answer = kind.form.answer
        if not answer.needs_time:
            return self.heads.get(answer)
        return None if self.why_no_steps else self.heads.get(answer, self.heads.get(Answer.STEPS))

    @property
    def kinds(self) -> tuple[TaskKind, ...]:
        """The kinds of tasks that it has heads for."""
        return tuple(kind for kind in TaskKind if self.head_for(kind))
