"""Trunks: models that share every block among all tasks, and whose weights others start from."""

import hashlib
from dataclasses import dataclass, field

from taskgraft.evaluators.grafting import FlatModel, graft
from taskgraft.evaluators.models.tree_model import TreeModel


@dataclass(frozen=True, slots=True)
class Trunk:
    """The trained weights of a tree of one node.

    ``weights`` are those of `taskgraft.evaluators.training.pack_weights`. The representation is short, because Ray Tune
    makes names of whatever a job holds.
    """

    tasks: tuple[str, ...]
    weights: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of the tasks and the weights."""
        return hashlib.sha256("\n".join(self.tasks).encode() + b"\n\n" + self.weights).hexdigest()

    def graft_onto(self, model: TreeModel) -> None:
        """Put the weights into a model of some of the tasks: each of its nodes takes its own blocks, each head its own.

        Raises:
            ValueError: the model has a task that the trunk has not.
            RuntimeError: the trunk's blocks or heads have other shapes.
        """
        trunk = FlatModel.unpacked(self.tasks, self.weights)
        graft(model, lambda _: trunk)
