"""The state of a training that ended early, as bytes: what a later training needs to go on from there.

The form is safetensors: weights, moments and positions are tensors, everything else is JSON among the metadata. What is
read is checked before a tensor is made of it: sizes, the training it belongs to, names and shapes, and a checksum. No
torch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from taskgraft.errors import InvalidInput
from taskgraft.space.matrix import Pair

MAX_STATE_BYTES = 256 * 2**20
BEST = "best"
"""Prefix of the weights of the best checkpoint."""
_LENGTH_BYTES = 8
_FACTS, _FACTS_SUM, _TENSORS_SUM = "facts", "sha256 of facts", "sha256 of tensors"

Point = dict[str, int | float]
Tensors = Mapping[str, NDArray[Any]]
Shape = tuple[str, tuple[int | None, ...]]
Shapes = Mapping[str, Shape]
"""The tensors of a state by name: type, in the words of safetensors, and shape; None is any length."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


TableName = Literal["classes", "scores", "tags", "events", "segments", "values"]


class BestPoint(_Value):
    """A checkpoint that was the best one for a while: its step, and each task's metric.

    ``tables`` names the tables of tasks whose outcomes are more than plain class answers.
    """

    step: int = Field(gt=0)
    metrics: dict[str, float]
    tables: dict[str, tuple[TableName, ...]] = {}


class StateFacts(_Value):
    """What a state holds beside its tensors.

    ``version`` and ``stamp`` say which code and which training it belongs to. ``best`` are the checkpoints that were
    the best ones, oldest first, and ``score`` is the score of the last. ``shuffling`` is the state of numpy's
    generator. ``cosines`` are those of an affinity meter; None if the training had none.
    """

    version: int
    stamp: str
    step: int = Field(gt=0)
    seconds: float = Field(ge=0)
    score: float
    best: tuple[BestPoint, ...] = Field(min_length=1)
    curve: tuple[Point, ...] = Field(min_length=1)
    shuffling: dict[str, Any]
    cosines: tuple[tuple[str, str, tuple[float, ...]], ...] | None
    scaling: dict[str, int | float]
    """Of the loss; empty if it is not scaled."""
    fewer_steps: dict[str, int] = {}
    """Of each weight that took fewer steps than the training, how many."""

    @property
    def cosines_by_pair(self) -> dict[Pair, tuple[float, ...]]:
        """The cosines of every pair of tasks; empty if there was no affinity meter."""
        return {(first, second): seen for first, second, seen in self.cosines or ()}

    def check_belongs_to(self, version: int, stamp: str) -> None:
        """Check that the state is of this version of the training code and of this training.

        Raises:
            InvalidInput: it is not.
        """
        if self.version != version:
            raise _fault(f"it is of version {self.version} of the training code; this is version {version}")
        if self.stamp != stamp:
            raise _fault("it belongs to another training: data, settings, libraries or processor differ")


@dataclass(frozen=True, slots=True)
class PackedState:
    """A state as bytes, which nothing is known of until it is read.

    Its representation is short, because Ray Tune makes names of whatever a job holds.
    """

    content: bytes = field(repr=False)

    @classmethod
    def of(cls, facts: StateFacts, tensors: Tensors) -> Self:
        """Pack a state."""
        kept = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
        text = json.dumps(facts.model_dump(mode="python"))
        sums = {_FACTS_SUM: _digest(text.encode()), _TENSORS_SUM: _checksum(kept)}
        return cls(save_tensors(kept, metadata={_FACTS: text, **sums}))

    def facts(self) -> StateFacts:
        """Read everything but the tensors.

        Raises:
            InvalidInput: the state is too large or damaged.
        """
        if len(self.content) > MAX_STATE_BYTES:
            raise _fault(f"it has at most {MAX_STATE_BYTES:,} bytes; got {len(self.content):,}")
        metadata = self._header()["__metadata__"]
        text = str(metadata.get(_FACTS))
        if metadata.get(_FACTS_SUM) != _digest(text.encode(errors="replace")):
            raise _fault("it is damaged: the checksum of its facts does not fit")
        try:
            return StateFacts.model_validate(json.loads(text))
        except (ValidationError, ValueError, RecursionError) as error:
            raise _fault(
                "its facts can't be read; it is damaged, or of another version of the training code"
            ) from error

    def tensors(self, expected: Shapes) -> Tensors:
        """Read the tensors, which are exactly those ``expected``.

        Raises:
            InvalidInput: the state has others, or is damaged.
        """
        header = self._header()
        metadata = header.pop("__metadata__")
        if fault := _difference(header, expected):
            raise _fault(fault)
        try:
            found: Tensors = load_tensors(self.content)
        except (SafetensorError, ValueError) as error:
            raise _fault(f"it is damaged: {error}") from error
        if metadata.get(_TENSORS_SUM) != _checksum(found):
            raise _fault("it is damaged: the checksum of its tensors does not fit")
        return found

    def _header(self) -> dict[str, Any]:
        """Return the entry of every tensor and the metadata; safetensors has no reader of both for bytes."""
        length = int.from_bytes(self.content[:_LENGTH_BYTES], "little")
        try:
            header = json.loads(self.content[_LENGTH_BYTES:][:length])
        except (ValueError, RecursionError) as error:
            raise _fault("it is damaged: its header can't be read") from error
        if not isinstance(header, dict) or not isinstance(header.get("__metadata__"), dict):
            raise _fault("it is damaged: its header has no metadata")
        return header


def _difference(header: Mapping[str, Any], expected: Shapes) -> str | None:
    """Return what a state's tensors have that the model has not, or the other way round; None if they fit."""
    if different := sorted(header.keys() ^ expected.keys()):
        return f"its tensors are not those of the model: {', '.join(different[:3])}"
    for name, (kind, shape) in expected.items():
        entry = header[name] if isinstance(header[name], dict) else {}
        if entry.get("dtype") != kind or not _fits(entry.get("shape"), shape):
            return f"its tensor {name} is {kind} {list(shape)} in the model; got {entry!r:.80}"
    return None


def _fits(found: object, shape: tuple[int | None, ...]) -> bool:
    if not isinstance(found, list) or len(found) != len(shape):
        return False
    return all(wanted is None or size == wanted for size, wanted in zip(found, shape, strict=True))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _checksum(tensors: Tensors) -> str:
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        total.update(tensor.tobytes())
    return total.hexdigest()


def _fault(message: str) -> InvalidInput:
    return InvalidInput.at("state", message)
