"""Encoders of users' own: what was measured of a torch module that is imported by name, as plain values.

No torch here: `evaluators/imported/` imports the module, measures it, and builds its blocks.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from taskgraft.errors import InvalidInput
from taskgraft.space.front_ends import PRESETS
from taskgraft.space.layers import Layer, Shape

MAX_BLOCKS = 64
_WORDS = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_PLACE = re.compile(f"{_WORDS}:{_WORDS}")


def is_place(name: object) -> bool:
    """Return whether ``name`` has the form ``module:name``, so that it stands for an encoder of a user's own.

    >>> is_place("mypackage.encoders:make_encoder"), is_place("cnn8")
    (True, False)
    """
    return isinstance(name, str) and _PLACE.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class BlockSize:
    """What a child of a user's `nn.Sequential` made of an input of one shape, and of longer ones.

    Raises:
        InvalidInput: numbers that no block has.
    """

    takes: Shape
    """The shape that it was measured with."""
    gives: Shape
    parameters: int
    macs: int
    """Multiply-accumulates for ``takes``."""
    stride: int = 1
    offset: int = 0
    """``(frames + offset) // stride`` frames come out of it."""
    is_fixed: bool = False
    """Whether the frames of its output do not follow those of its input: behind it there is no time axis."""
    is_flat: bool = False
    """Whether it takes [n, numbers] and not [n, channels, bands, frames]."""

    def __post_init__(self) -> None:
        if min(*self.takes, *self.gives, self.stride) < 1 or min(self.parameters, self.macs) < 0:
            raise InvalidInput.at("imported", f"what was measured of a block; got {self!r:.200}")


@dataclass(frozen=True, slots=True)
class ImportedBlock(Layer):
    """One child of a user's encoder, as its template has it."""

    place: str
    """``module:name`` of the whole encoder."""
    index: int
    """Which child it is."""
    digest: str
    """Of the whole encoder's structure and source."""
    weights: str
    """Digest of the whole encoder's numbers for one seed."""
    size: BlockSize

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return self.size.parameters

    @property
    def time_stride(self) -> int:
        """Frames of its input for each frame of its output."""
        return 1 if self.size.is_fixed else self.size.stride

    @property
    def keeps_time(self) -> bool:
        """Whether there is a time axis behind it."""
        return not self.size.is_fixed

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape behind it.

        Raises:
            InvalidInput: it has other channels or bands than what the block was measured with, or too few frames.
        """
        size, name = self.size, f"block {self.index} of {self.place}"
        if shape[:2] != size.takes[:2]:
            raise InvalidInput.at("blocks", f"{name} was measured with {size.takes}; got {shape}")
        frames = size.gives[2] if size.is_fixed else (shape[2] + size.offset) // size.stride
        if frames < 1:
            raise InvalidInput.at("blocks", f"{name} takes more frames than {shape[2]}")
        return size.gives[0], size.gives[1], frames

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for an input of ``shape``: those that were measured, by its frames."""
        self.output_shape(shape)
        takes, macs = self.size.takes, self.size.macs
        return macs if shape == takes else round(macs * shape[2] / takes[2])


@dataclass(frozen=True, slots=True)
class ImportedEncoder:
    """What was measured of a user's encoder behind one front end.

    Raises:
        InvalidInput: no place, no such front end, or no blocks or too many.
    """

    place: str
    """``module:name``"""
    front_end: str
    """Name of the front end that it was measured behind."""
    digest: str
    """Of structure and source."""
    weights: str
    """Digest of all numbers for one seed."""
    sizes: tuple[BlockSize, ...]
    """Of all blocks."""
    uncounted: tuple[str, ...] = ()
    """Layers with weights whose multiply-accumulates could not be counted, if there are any."""

    def __post_init__(self) -> None:
        if not is_place(self.place):
            raise InvalidInput.at("template", f"an encoder of your own has the form module:name; got {self.place!r}")
        if self.front_end not in PRESETS:
            raise InvalidInput.at("front_end", f"no front end {self.front_end!r}; there is {', '.join(PRESETS)}")
        if not 1 <= len(self.sizes) <= MAX_BLOCKS:
            raise InvalidInput.at("template", f"1 to {MAX_BLOCKS} blocks; {self.place} has {len(self.sizes)}")

    @property
    def blocks(self) -> tuple[ImportedBlock, ...]:
        """The blocks of its template."""
        return tuple(
            ImportedBlock(self.place, index, self.digest, self.weights, size) for index, size in enumerate(self.sizes)
        )

    @property
    def why_no_steps(self) -> str:
        """Why it can't answer for time steps; the empty text if it can."""
        if any(size.is_fixed for size in self.sizes):
            return "there is no time axis behind its blocks"
        stride = 1
        for size in self.sizes:
            stride *= size.stride
        frames = steps = stride * -(-self.sizes[0].takes[2] // stride)
        for size in self.sizes:
            steps = (steps + size.offset) // size.stride
        if steps * stride != frames:
            return f"it gives {steps} steps for {frames} frames and not {frames // stride}: pad its blocks along time"
        return ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a user has to know of the figures."""
        if not self.uncounted:
            return ()
        return (f"multiply-accumulates of {self.place} leave out {', '.join(self.uncounted)}",)

    def to_plain(self) -> dict[str, Any]:
        """Return plain data that `read_imported` reads back."""
        plain: dict[str, Any] = _ENCODER.dump_python(self, mode="json")
        return plain


_ENCODER = TypeAdapter(ImportedEncoder)


def read_imported(plain: object) -> ImportedEncoder:
    """Read what `ImportedEncoder.to_plain` returns.

    Raises:
        InvalidInput: it is something else.
    """
    try:
        return _ENCODER.validate_python(plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["imported", *map(str, first["loc"])])
        raise InvalidInput.at(where, f"what Taskgraft measured of an encoder: {first['msg']}") from None
