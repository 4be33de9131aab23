"""Gates: how much of each feature a task's head sees, as plain values.

A gate lies between the last block and the heads. It counts its parameters and multiply-accumulates for the shape that
the encoder ends with; `evaluators/models/gates.py` builds the torch module of each kind. What it has for all tasks
belongs to the first block of a tree: tasks that share that block share it, and models that share no block have one
each, so that they can be trained apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from taskgraft.errors import InvalidInput
from taskgraft.space.layers import Shape

EMBEDDING = 16
"""Learned numbers that stand for a task."""


class Gate(Protocol):
    """What every kind of gate counts. All of them are dataclasses."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def shared_parameters(self, shape: Shape) -> int:
        """Return the parameters that tasks share, behind an encoder that ends with this shape."""

    def task_parameters(self) -> int:
        """Return the parameters of each task alone."""

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates of each task, for an encoder's output of this shape."""

    def remarks(self, shape: Shape, blocks: int) -> tuple[str, ...]:
        """Return what a user has to know of its size, if the encoder's blocks have so many parameters."""

    def to_plain(self) -> dict[str, Any]:
        """Return plain data that `read_gate` reads back; empty if there is no gate."""


@dataclass(frozen=True, slots=True)
class NoGate:
    """Heads see all features as they are."""

    def shared_parameters(self, _: Shape) -> int:
        """Return 0."""
        return 0

    def task_parameters(self) -> int:
        """Return 0."""
        return 0

    def macs(self, _: Shape) -> int:
        """Return 0."""
        return 0

    def remarks(self, _: Shape, blocks: int) -> tuple[str, ...]:
        """Return nothing, whatever the size of the ``blocks``."""
        return ()

    def to_plain(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


class Over(StrEnum):
    """Which features decide together how much of them is seen."""

    STEP = "step"
    """All of one time step: channels x bands."""
    CHANNELS = "channels"
    """The channels of one band at one time step."""


@dataclass(frozen=True, slots=True)
class TaskGate:
    """Each head sees sigmoid(W f + U e) * f of the features f, with a vector e for its task.

    W and U are matrices without bias, shared by tasks that share the first block. Products by sigmoids are not counted,
    and neither are those of normalisation.
    """

    over: Over = Over.STEP

    def width(self, shape: Shape) -> int:
        """Return how many features decide together."""
        return shape[0] * shape[1] if self.over is Over.STEP else shape[0]

    def shared_parameters(self, shape: Shape) -> int:
        """Return the parameters of W and U."""
        return self.width(shape) * (self.width(shape) + EMBEDDING)

    def task_parameters(self) -> int:
        """Return those of e."""
        return EMBEDDING

    def macs(self, shape: Shape) -> int:
        """Return those of W everywhere, and of U once."""
        width = self.width(shape)
        places = shape[0] * shape[1] * shape[2] // width
        return places * width**2 + EMBEDDING * width

    def remarks(self, shape: Shape, blocks: int) -> tuple[str, ...]:
        """Say so if it has more parameters than the blocks, and what has fewer."""
        size, less = self.shared_parameters(shape), TaskGate(Over.CHANNELS).shared_parameters(shape)
        if size <= blocks:
            return ()
        instead = f"; over {Over.CHANNELS.value} it has {less:,}" if less < size else ""
        features = f"task attention over the {self.width(shape):,} features of a {self.over.value}"
        return (f"{features} has {size:,} parameters, and the blocks before it have {blocks:,}{instead}",)

    def to_plain(self) -> dict[str, Any]:
        """Return what it goes over."""
        return {"over": self.over.value}


NO_GATE = NoGate()


def read_gate(plain: object) -> Gate:
    """Read what `Gate.to_plain` returns; None if there is none.

    Raises:
        InvalidInput: at ``gate``: it is something else.
    """
    if plain is None:
        return NO_GATE
    if isinstance(plain, Mapping) and plain.keys() == {"over"} and plain["over"] in [*Over]:
        return TaskGate(Over(plain["over"]))
    raise InvalidInput.at("gate", f"an object whose over is one of {', '.join(Over)}; got {plain!r:.80}")
