"""Trainings whose references are not known yet: every checkpoint that may be chosen is kept, and chosen later.

References choose the best checkpoint, and end a training early; no step depends on them. So a training may begin before
its tasks' baselines have ended, and is judged when they have: the result is that of the same training with references
from the start, bit for bit. Plain numbers, no torch.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors.numpy import load as load_tensors

from taskgraft.evaluators.checkpoint_tensors import outcome_tensors, point_of
from taskgraft.evaluators.measurement import Checkpoint, Measurement, Outcomes, mean_affinities
from taskgraft.evaluators.metrics import worst_reduction
from taskgraft.evaluators.stopping import Stopping, Verdict
from taskgraft.evaluators.training_state import BEST, PackedState, StateFacts, Tensors
from taskgraft.space.matrix import Pair


class Undominated:
    """Tells which checkpoints some references could make the best one.

    The first of several equally good ones is chosen. So one that an earlier one equals or beats in every task is never
    chosen, and was never the best one for a while. ``errors`` are the tasks whose metric is better if it is lower.
    """

    def __init__(self, errors: Collection[str] = ()) -> None:
        self._errors = errors
        self._metrics: list[Mapping[str, float]] = []

    def admit(self, metrics: Mapping[str, float]) -> bool:
        """Return whether the next checkpoint may be chosen."""
        better = {task: -value if task in self._errors else value for task, value in metrics.items()}
        if any(all(one[task] >= value for task, value in better.items()) for one in self._metrics):
            return False
        self._metrics.append(better)
        return True


@dataclass(frozen=True, slots=True, eq=False)
class OpenState:
    """What `PackedState` holds, but what the references decide: the best checkpoints, their score, and the stamp."""

    facts: Mapping[str, Any]
    tensors: Tensors = field(repr=False)

    def packed(self, stamp: str, best: Sequence["Look"], score: float) -> PackedState:
        """Return the state with those checkpoints that were the best ones, oldest first."""
        points = [point_of(look.checkpoint) for look in best]
        facts = StateFacts.model_validate({**self.facts, "stamp": stamp, "score": score, "best": points})
        last = best[-1]
        kept = load_tensors(last.weights) if last.weights and last.step != facts.step else {}
        tensors = {f"{BEST}.{name}": np.asarray(tensor) for name, tensor in kept.items()}
        said = outcome_tensors([look.checkpoint for look in best])
        return PackedState.of(facts, {**self.tensors, **tensors, **said})


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one evaluation of an open training found.

    ``weights`` are None if no references could make this checkpoint the best one; ``seconds`` are those since the
    training began, and ``cosines`` all that its affinities are means of so far. ``state`` is there if it is wanted,
    and steps are left.
    """

    step: int
    planned_steps: int
    metrics: Mapping[str, float]
    outcomes: Mapping[str, Outcomes]
    seconds: float
    weights: bytes | None = field(default=None, repr=False)
    cosines: Mapping[Pair, Sequence[float]] = field(default_factory=dict, repr=False)
    state: OpenState | None = field(default=None, repr=False)
    worker: str = ""

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint, without its weights."""
        return Checkpoint(self.step, self.metrics, self.outcomes)

    @property
    def is_last(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.planned_steps


class OpenTraining:
    """The evaluations so far of one training whose references are not known yet.

    ``errors`` are the tasks whose metric is better if it is lower.
    """

    def __init__(self, errors: Collection[str] = ()) -> None:
        self._errors = errors
        self._looks: list[Look] = []
        self._state: OpenState | None = None

    @property
    def has_ended(self) -> bool:
        """Whether all steps are taken."""
        return bool(self._looks) and self._looks[-1].is_last

    def add(self, look: Look) -> None:
        """Add the next evaluation. If its training began anew, those from that step on are forgotten."""
        self._looks = [one for one in self._looks if one.step < look.step]
        self._looks.append(look)
        is_later = self._state is not None and self._state.facts["step"] > look.step
        self._state = look.state or (None if is_later else self._state)

    def resolve(
        self, references: Mapping[str, float], stopping: Stopping | None, stamp: str = ""
    ) -> Measurement | None:
        """Return what the training measures with these references, by ``stopping``; None if it has to go on.

        With a ``stamp``, one that was stopped since it keeps the threshold has a state to go on from: the first one
        after the stop that is known, which may have taken more steps.
        """
        seen = self._end(references, stopping)
        if seen is None:
            return None
        best, _ = self._records(self._looks[:seen], references)
        last, chosen = self._looks[seen - 1], best[-1]
        curve = tuple({"step": look.step, **look.metrics} for look in self._looks[:seen])
        clips = {task: said.clip_count for task, said in chosen.outcomes.items()}
        is_kept = stopping is not None and stopping.verdict(curve, references, clips) is Verdict.KEPT
        wants_state = bool(stamp) and is_kept and not last.is_last
        return Measurement(
            metrics=chosen.metrics,
            outcomes=chosen.outcomes,
            steps=last.step,
            best_step=chosen.step,
            seconds=last.seconds,
            worker=last.worker,
            curve=curve,
            weights=chosen.weights,
            steps_left=last.planned_steps - last.step,
            affinities=mean_affinities(last.cosines),
            earlier=tuple(look.checkpoint for look in best[:-1]),
            cosines=last.cosines,
            state=self._packed_state(references, stamp) if wants_state else None,
        )

    def _end(self, references: Mapping[str, float], stopping: Stopping | None) -> int | None:
        """Return how many evaluations the training has; None if it goes on."""
        if not self._looks:
            return None
        clips = {task: said.clip_count for task, said in self._looks[0].outcomes.items()}
        curve = [{"step": look.step, **look.metrics} for look in self._looks]
        seen = stopping.end_of(curve, references, clips) if stopping else None
        return seen or (len(self._looks) if self.has_ended else None)

    def _packed_state(self, references: Mapping[str, float], stamp: str) -> bytes | None:
        if self._state is None:
            return None
        upto = [look for look in self._looks if look.step <= self._state.facts["step"]]
        best, score = self._records(upto, references)
        return self._state.packed(stamp, best, score).content

    def _records(self, looks: Sequence[Look], references: Mapping[str, float]) -> tuple[list[Look], float]:
        """Return the checkpoints that were the best one for a while, oldest first, and the score of the last."""
        best, score = list[Look](), -np.inf
        for look in looks:
            kept = -worst_reduction(references, look.metrics, self._errors)
            if kept > score:
                best.append(look)
                score = kept
        return best, float(score)
