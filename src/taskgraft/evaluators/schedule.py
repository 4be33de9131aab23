"""How long and how a model is trained: a plain value, without torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.course import Course
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.recipe import MaskWidth
from taskgraft.evaluators.weighting.plain import Sum
from taskgraft.evaluators.weighting.protocol import LossWeighting
from taskgraft.evaluators.weighting.registry import weighting_among

MAX_EVALUATIONS = 15
"""Of a training on the validation split, if its recipe has no patience."""
_OBJECTS = ("algorithm", "weighting")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how to train. An epoch goes through the largest training split of the study.

    ``masking`` is the largest share of the bands, and of the frames, that a mask covers. Clips are mixed by shares of
    Beta(``mixup``, ``mixup``), and the styles of a batch with the chance ``mixstyle``; 0: they are not. ``noise`` is
    the lowest and the highest ratio in decibels of clips to the noise that is added to them; None: there is none. Crops
    move by up to ``shift`` seconds. ``algorithm`` says what a step trains, and ``weighting`` makes one gradient of the
    losses of several tasks.
    """

    epochs: int
    batch_size: int
    optimisation: Optimisation = field(default_factory=Optimisation)
    masking: float = 0.15
    masking_width: MaskWidth = MaskWidth.UNIFORM
    mixup: float = 0.0
    mixstyle: float = 0.0
    noise: tuple[float, float] | None = None
    shift: float = 0.0
    algorithm: Algorithm = SOFT
    weighting: LossWeighting = field(default_factory=Sum)

    def steps(self, clips: int) -> int:
        """Return the planned optimiser steps for a largest training split of ``clips`` clips; those of each phase."""
        return self.epochs * self.epoch_steps(clips)

    def course(self, clips: int, tasks: Sequence[str]) -> Course:
        """Return all steps of a model of some tasks, and its evaluations."""
        return Course(self.steps(clips), self.interval(clips), self.algorithm.phases(tasks))

    def interval(self, clips: int) -> int:
        """Return after how many steps a training is evaluated again.

        That is at most 15 times, spread evenly; after every epoch if the recipe has a patience.
        """
        if self.optimisation.patience is not None:
            return self.epoch_steps(clips)
        return -(-self.steps(clips) // min(self.epochs, MAX_EVALUATIONS))

    def patience(self, clips: int) -> int | None:
        """Return after how many steps without a lower loss a training ends; None if it takes all planned steps."""
        patience = self.optimisation.patience
        return None if patience is None else patience * self.epoch_steps(clips)

    def epoch_steps(self, clips: int) -> int:
        """Return the optimiser steps of an epoch."""
        return -(-clips // self.batch_size)

    def to_plain(self) -> dict[str, Any]:
        """Return all that decides a training beside the data, as plain data."""
        known = {name: value for name, value in asdict(replace(self, algorithm=SOFT)).items() if name not in _OBJECTS}
        parts = {"algorithm": self.algorithm.to_plain(), "loss_weighting": self.weighting.to_plain()}
        return {**known, "optimisation": self.optimisation.to_plain(), **parts}

    def for_tasks(self, tasks: Sequence[str]) -> Self:
        """Return the same schedule without what changes nothing in a training of some tasks."""
        weighting = weighting_among(self.weighting, tasks)
        return replace(self, algorithm=self.algorithm.among(tasks), weighting=weighting)
