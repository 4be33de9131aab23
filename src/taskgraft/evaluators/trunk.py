"""Trunks: models that share every block among all tasks, and whose weights others start from. Needs no torch."""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taskgraft.evaluators.start import Fresh

if TYPE_CHECKING:
    from taskgraft.evaluators.models.tree_model import TreeModel


@dataclass(frozen=True, slots=True)
class Trunk:
    """The trained weights of a tree of one node. Implements `taskgraft.evaluators.start.Start`.

    ``weights`` are those of `taskgraft.evaluators.training.pack_weights`. The representation is short, because Ray Tune
    makes names of whatever a job holds.
    """

    tasks: tuple[str, ...]
    weights: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of the tasks and the weights."""
        return hashlib.sha256("\n".join(self.tasks).encode() + b"\n\n" + self.weights).hexdigest()

    def prepare(self, model: "TreeModel", fresh: Fresh) -> None:
        """Put the blocks and heads of the trunk into a model of some of its tasks.

        Raises:
            ValueError: the model has a task that the trunk has not.
            RuntimeError: the trunk's blocks or heads have other shapes.
        """
        from taskgraft.evaluators.grafting import graft_trunk  # noqa: PLC0415  # torch is for trainings

        graft_trunk(model, self)
