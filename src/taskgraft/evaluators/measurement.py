"""What a training is worth: the values that a worker returns. Plain numpy, no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from taskgraft.evaluators.outcomes import Outcomes, Table
from taskgraft.space.matrix import Pair

__all__ = ["Checkpoint", "Measurement", "Outcomes", "Table", "mean_affinities"]


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
    the AR of its metrics is an upper bound of what all steps would have given, not its value. ``steps_spared`` are
    planned ones that the recipe's patience did not ask for: a training that ended by it is whole, since no training of
    this recipe takes them.

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
    steps_spared: int = 0
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
        """The optimiser steps of the whole training; with a patience, the most that it may take."""
        return self.steps + self.steps_left + self.steps_spared

    @property
    def share(self) -> float:
        """The share of the steps of the whole training that were taken, 0..1; 1 if it ended by its patience."""
        return self.steps / (self.steps + self.steps_left)

    @property
    def is_censored(self) -> bool:
        """Whether the training was stopped before its end; one that ended by its recipe's patience was not."""
        return self.steps_left > 0

    def to_json(self) -> dict[str, Any]:
        """Return everything but weights, state and earlier checkpoints as plain data."""
        return {
            "metrics": dict(self.metrics),
            "outcomes": {task: outcomes.to_text() for task, outcomes in self.outcomes.items()},
            "steps": self.steps,
            "steps_left": self.steps_left,
            "steps_spared": self.steps_spared,
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
            steps_spared=value.get("steps_spared", 0),  # nor do those from before recipes with a patience
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
