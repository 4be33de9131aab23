"""What a training is worth: the values that a worker returns. Plain numpy, no torch."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from taskgraft.errors import InvalidInput
from taskgraft.space.matrix import Pair


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What a model said about every labelled clip of one split, for one task.

    Row i says that in clip ``clips[i]`` the class ``truth[i]`` was taken for ``predicted[i]`` ``counts[i]`` times: one
    row a clip for ``clip`` tasks; up to four rows a clip for ``frames`` tasks, counting time steps. That is all that
    any metric built on a confusion matrix needs, and it can be resampled clip by clip.

    Raises:
        InvalidInput: columns of different lengths.
    """

    clips: NDArray[np.int32]
    truth: NDArray[np.int32]
    predicted: NDArray[np.int32]
    counts: NDArray[np.int32]

    def __post_init__(self) -> None:
        if len({len(self.clips), len(self.truth), len(self.predicted), len(self.counts)}) != 1:
            raise InvalidInput.at("outcomes", "all columns have one length")

    @property
    def clip_count(self) -> int:
        """How many clips there are answers about."""
        return int(np.count_nonzero(np.bincount(self.clips)))

    def to_text(self) -> str:
        """Return a compact text for the ledger."""
        table = np.stack([self.clips, self.truth, self.predicted, self.counts]).astype("<i4")
        return base64.b85encode(zlib.compress(table.tobytes(), 9)).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote."""
        table = np.frombuffer(zlib.decompress(base64.b85decode(text)), "<i4").reshape(4, -1).astype(np.int32)
        return cls(*table)


def mean_affinities(cosines: Mapping[Pair, Sequence[float]]) -> dict[Pair, float]:
    """Return the affinity of every pair: the mean of its cosines."""
    return {pair: float(np.mean(seen)) for pair, seen in cosines.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A checkpoint that was the best one for a while: the step it was taken at, and what it measured."""

    step: int
    metrics: Mapping[str, float]
    outcomes: Mapping[str, Outcomes]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        outcomes = {task: said.to_text() for task, said in self.outcomes.items()}
        return {"step": self.step, "metrics": dict(self.metrics), "outcomes": outcomes}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        outcomes = {task: Outcomes.from_text(text) for task, text in value["outcomes"].items()}
        return cls(value["step"], value["metrics"], outcomes)


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """The result of one training, on the validation split: metrics (fractions of 1) and outcomes per task.

    ``steps_left`` are the planned optimiser steps that were not taken. A training that was stopped early is censored:
    the AR of its metrics is an upper bound of what all steps would have given, not its value.

    ``weights`` are the best checkpoint's tensors as safetensors bytes, if they were asked for; they travel from the
    worker to the driver and are no part of the JSON form. ``affinities`` of pairs, -1..1, if they were asked for.

    ``earlier`` are the checkpoints that were the best before this one, oldest first; only trainings that can be stopped
    early have them. ``cosines`` are what ``affinities`` are means of, as many at every evaluation. Both tell what the
    training would have measured if it had been stopped earlier, and are no part of the JSON form either.

    A training that went on from the saved state of an earlier one has all figures of the whole training; of its steps
    and seconds, the earlier one took ``steps_before`` and ``seconds_before``. ``remark`` says why a saved state was not
    used. ``state`` is that of a training that was stopped since it keeps the threshold; it travels as ``weights`` do.

    ``lookaheads`` are Z(i -> j) under (i, j) (`taskgraft.evaluators.lookahead`), if they were asked for.
    """

    metrics: Mapping[str, float]
    outcomes: Mapping[str, Outcomes]
    steps: int
    best_step: int
    seconds: float
    worker: str
    curve: tuple[Mapping[str, float], ...] = ()
    weights: bytes | None = field(default=None, repr=False)
    steps_left: int = 0
    affinities: Mapping[Pair, float] = field(default_factory=dict)
    earlier: tuple[Checkpoint, ...] = field(default=(), repr=False)
    cosines: Mapping[Pair, Sequence[float]] = field(default_factory=dict, repr=False)
    steps_before: int = 0
    seconds_before: float = 0.0
    remark: str | None = None
    state: bytes | None = field(default=None, repr=False)
    lookaheads: Mapping[Pair, float] = field(default_factory=dict)

    @property
    def own_steps(self) -> int:
        """The steps that were taken for this measurement alone."""
        return self.steps - self.steps_before

    @property
    def own_seconds(self) -> float:
        """The seconds that were spent on this measurement alone."""
        return self.seconds - self.seconds_before

    def by_itself(self) -> Self:
        """Return the measurement as if all of its steps had been taken at once."""
        return replace(self, steps_before=0, seconds_before=0.0, remark=None)

    def without_affinities(self) -> Self:
        """Return the measurement as if nobody had looked at how tasks affect each other: all else is the same."""
        return replace(self, affinities={}, cosines={}, lookaheads={})

    @property
    def planned_steps(self) -> int:
        """The steps of the whole training, in optimiser steps."""
        return self.steps + self.steps_left

    @property
    def is_censored(self) -> bool:
        """Whether the training was stopped before its end."""
        return self.steps_left > 0

    def to_json(self) -> dict[str, Any]:
        """Return everything but weights, state and earlier checkpoints as plain data."""
        return {
            "metrics": dict(self.metrics),
            "outcomes": {task: outcomes.to_text() for task, outcomes in self.outcomes.items()},
            "steps": self.steps,
            "steps_left": self.steps_left,
            "best_step": self.best_step,
            "seconds": self.seconds,
            "worker": self.worker,
            "curve": [dict(point) for point in self.curve],
            "affinities": [[*pair, value] for pair, value in self.affinities.items()],
            "steps_before": self.steps_before,
            "seconds_before": self.seconds_before,
            "remark": self.remark,
            "lookaheads": [[*pair, value] for pair, value in self.lookaheads.items()],
        }

    def to_full_json(self) -> dict[str, Any]:
        """Return everything but weights and state as plain data."""
        return {
            **self.to_json(),
            "earlier": [checkpoint.to_json() for checkpoint in self.earlier],
            "cosines": [[*pair, list(values)] for pair, values in self.cosines.items()],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` or `to_full_json` wrote."""
        return cls(
            metrics=MappingProxyType(dict(value["metrics"])),
            outcomes=MappingProxyType({task: Outcomes.from_text(text) for task, text in value["outcomes"].items()}),
            steps=value["steps"],
            steps_left=value.get("steps_left", 0),  # ledgers from before early stopping do not have it
            best_step=value["best_step"],
            seconds=value["seconds"],
            worker=value["worker"],
            curve=tuple(value["curve"]),
            affinities={(first, second): one for first, second, one in value.get("affinities", ())},
            earlier=tuple(map(Checkpoint.from_json, value.get("earlier", ()))),
            cosines={(first, second): tuple(all_of) for first, second, all_of in value.get("cosines", ())},
            steps_before=value.get("steps_before", 0),  # ledgers from before trainings went on from a state lack these
            seconds_before=value.get("seconds_before", 0.0),
            remark=value.get("remark"),
            lookaheads={(first, second): one for first, second, one in value.get("lookaheads", ())},
        )
