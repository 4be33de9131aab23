"""The steps of one training by an algorithm, as the `Trainer` calls them. No torch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from taskgraft.evaluators.algorithms.learner import Learner, Step
    from taskgraft.evaluators.batches import Batch


class PlainSteps:
    """One batch of every task in every step; other algorithms change what differs.

    Whatever it keeps from step to step and does not follow from the number of the step is in its `tensors`.
    """

    def __init__(self, learner: "Learner") -> None:
        self._learner = learner

    def enter(self, number: int) -> None:
        """Make the model ready for steps from this one on, up to the next `leave`."""
        self._learner.model.train()

    def batch(self, number: int) -> "Batch":
        """Return the batch of a step."""
        return next(self._learner.batches)

    def losses(self, step: "Step") -> "Mapping[str, Tensor]":
        """Return what each task of the step has to lose; what is learned is up to the weighting of these losses."""
        return self._learner.losses(self._learner.ask(step.features, step.batch.rows), step)

    def taken(self, number: int) -> None:
        """Follow the weights after a step."""

    def leave(self) -> None:
        """Make the model ready for an evaluation."""

    def parameters(self) -> "Mapping[str, nn.Parameter]":
        """Return the weights that are learned beside the model's, by name."""
        return {}

    def tensors(self) -> "Mapping[str, Tensor]":
        """Return what a saved state has to hold, by name; the model is ready for an evaluation."""
        return {}

    def restore(self, tensors: "Mapping[str, Tensor]") -> None:
        """Take over what `tensors` returned; the model has its weights already."""
