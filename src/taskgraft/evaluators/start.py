"""What models start from if the seed alone does not say it: weights of others, and what is pruned of them. No torch."""

from typing import TYPE_CHECKING, Protocol

from taskgraft.space.tree import BranchTree

if TYPE_CHECKING:
    from taskgraft.evaluators.compression.restraint import Restraint
    from taskgraft.evaluators.models.tree_model import TreeModel


class Fresh(Protocol):
    """Makes models that start from nothing."""

    def __call__(self, tree: BranchTree, share: float = 0.0) -> "TreeModel":
        """Return a model of a tree as the seed alone makes it, trained for a ``share`` of the steps, 0..1.

        Blocks of one place have the same initial weights in every tree that begins with them.
        """


class Start(Protocol):
    """Weights that take the place of initial ones. Its representation is short: Ray Tune makes names of it."""

    @property
    def digest(self) -> str:
        """A text that two starts share exactly when they are equal."""

    def prepare(self, model: "TreeModel", fresh: Fresh) -> "Restraint | None":
        """Put the weights into a new model; return what holds them while it is trained, if anything does.

        ``fresh`` makes models of other trees that have the same initial weights in the same blocks.
        """
