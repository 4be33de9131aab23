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
class ImportedBlock(Layer):
    """A child of a user's `nn.Sequential`: what it made of an input of one shape, and of longer ones.

    Raises:
        InvalidInput: numbers that no block has.
    """

    place: str
    """``module:name`` of the whole encoder."""
    index: int
    """Which child it is."""
    digest: str
    """Of the whole encoder's structure and source."""
    weights: str
    """Digest of the whole encoder's numbers for one seed."""
    takes: Shape
    """The shape that it was measured with."""
    gives: Shape
    trained: int
    multiplied: int
    """Multiply-accumulates for ``takes``."""
    stride: int = 1
    offset: int = 0
    """``(frames + offset) // stride`` frames come out of it."""
    is_fixed: bool = False
    """Whether the frames of its output do not follow those of its input: behind it there is no time axis."""
    is_flat: bool = False
    """Whether it takes [n, numbers] and not [n, channels, bands, frames]."""

    def __post_init__(self) -> None:
        counts = (*self.takes, *self.gives, self.stride)
        if not is_place(self.place) or min(counts) < 1 or min(self.index, self.trained, self.multiplied) < 0:
            raise InvalidInput.at("imported", f"what was measured of a block; got {self!r:.200}")

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return self.trained

    @property
    def time_stride(self) -> int:
        """Frames of its input for each frame of its output."""
        return 1 if self.is_fixed else self.stride

    @property
    def keeps_time(self) -> bool:
        """Whether there is a time axis behind it."""
        return not self.is_fixed

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape behind it.

        Raises:
            InvalidInput: it has other channels or bands than what the block was measured with, or too few frames.
        """
        if shape[:2] != self.takes[:2]:
            raise InvalidInput.at("blocks", f"{self.name} was measured with {self.takes}; got {shape}")
        frames = self.gives[2] if self.is_fixed else (shape[2] + self.offset) // self.stride
        if frames < 1:
            raise InvalidInput.at("blocks", f"{self.name} takes more frames than {shape[2]}")
        return self.gives[0], self.gives[1], frames

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for an input of ``shape``: those that were measured, by its frames."""
        self.output_shape(shape)
        return self.multiplied if shape == self.takes else round(self.multiplied * shape[2] / self.takes[2])

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"block {self.index} of {self.place}"


@dataclass(frozen=True, slots=True)
class ImportedEncoder:
    """All blocks of a user's encoder, measured behind one front end.

    Raises:
        InvalidInput: no blocks or too many, blocks of several encoders, or no such front end.
    """

    place: str
    front_end: str
    """Name of the front end that it was measured behind."""
    blocks: tuple[ImportedBlock, ...]
    uncounted: tuple[str, ...] = ()
    """Layers with weights whose multiply-accumulates could not be counted, if there are any."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.blocks) <= MAX_BLOCKS:
            raise InvalidInput.at("template", f"1 to {MAX_BLOCKS} blocks; {self.place} has {len(self.blocks)}")
        if self.front_end not in PRESETS:
            raise InvalidInput.at("front_end", f"no front end {self.front_end!r}; there is {', '.join(PRESETS)}")
        if [(block.place, block.index) for block in self.blocks] != [(self.place, n) for n in range(len(self.blocks))]:
            raise InvalidInput.at("imported", f"the blocks of {self.place} one after the other")

    @property
    def why_no_steps(self) -> str:
        """Why it can't answer for time steps; the empty text if it can."""
        if any(block.is_fixed for block in self.blocks):
            return "there is no time axis behind its blocks"
        stride = 1
        for block in self.blocks:
            stride *= block.stride
        frames = steps = stride * -(-self.blocks[0].takes[2] // stride)
        for block in self.blocks:
            steps = (steps + block.offset) // block.stride
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
