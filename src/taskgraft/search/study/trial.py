"""Trials: the trainings that a study is made of."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.study.pruning import Pruning
from taskgraft.space.tree import BranchTree

FIRST_CONFIRMING = 100
"""Repeats from here on confirm a tree that was chosen already; those of a search are fewer."""


Variant = tuple[str | None, Pruning | None]
"""How a training differs from what its study says: by another recipe, or as a round of pruning."""


class TrialState(StrEnum):
    """How a trial stands in the ledger (running ones are not in it: nothing is recorded before it is known)."""

    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Training:
    """One model to train: a tree, and which repeat of it.

    A baseline is a tree of one task, a pair a flat tree of two. Two trainings that are equal have the same result, so a
    training that any stage has asked for is never run again. A probe only answers whether the model keeps the
    threshold: it ends at the first checkpoint that does. ``epochs`` is how long to train, if the study leaves that open
    (`training.epochs: auto`); None if the study says it. A trunk answers nothing: all other trainings of its repeat and
    length start from its weights (`training.start: trunk`). ``recipe`` is another recipe than the study's own, which is
    None: a preset's name, or the fields that differ (`taskgraft.search.study.recipe_text`). ``pruning`` says which
    round of pruning it is, if it is one. No decision of a search looks at trainings of other recipes, or pruned ones.

    Raises:
        ValueError: a trunk that is a probe.
    """

    tree: BranchTree
    repeat: int = 0
    is_probe: bool = False
    epochs: int | None = None
    is_trunk: bool = False
    recipe: str | None = None
    pruning: Pruning | None = None

    def __post_init__(self) -> None:
        if self.is_trunk and self.is_probe:
            raise ValueError("a trunk answers no question, so it is no probe")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that the model answers."""
        return self.tree.tasks

    @property
    def shared(self) -> int:
        """How many blocks all its tasks share (B for a single task)."""
        return self.tree.root.blocks[1]

    @property
    def variant(self) -> Variant:
        """The recipe and the round of pruning."""
        return self.recipe, self.pruning

    @property
    def is_variant(self) -> bool:
        """Whether it is trained in another way than the study says: no decision of its search looks at it."""
        return self.variant != (None, None)

    @property
    def is_confirming(self) -> bool:
        """Whether it only measures what a chosen tree keeps when it is trained again."""
        return self.repeat >= FIRST_CONFIRMING

    @property
    def key(self) -> str:
        """A text that two trainings share exactly when they are equal."""
        marks = ["probe"] * self.is_probe + ["trunk"] * self.is_trunk + [self.epochs] * (self.epochs is not None)
        said = {"recipe": self.recipe, "pruning": self.pruning and self.pruning.to_json()}
        variant = [{name: value} for name, value in said.items() if value is not None]
        return json.dumps([self.tree.to_json(), self.tree.depth, self.repeat, *marks, *variant], separators=(",", ":"))

    @classmethod
    def from_key(cls, key: str) -> Self:
        """Return the training that has this `key`."""
        root, depth, repeat, *marks = json.loads(key)
        epochs = next((mark for mark in marks if isinstance(mark, int)), None)
        said = {name: value for mark in marks if isinstance(mark, dict) for name, value in mark.items()}
        pruning = Pruning.from_json(said["pruning"]) if "pruning" in said else None
        tree, is_probe, is_trunk = BranchTree.from_json(root, depth), "probe" in marks, "trunk" in marks
        return cls(tree, repeat, is_probe, epochs, is_trunk, said.get("recipe"), pruning)


@dataclass(frozen=True, slots=True)
class Trial:
    """A training that ended: with a measurement, or with the reason why there is none.

    ``taken_over_from`` is the study that trained it, if that is another one.
    """

    number: int
    training: Training
    seed: int
    state: TrialState
    measurement: Measurement | None = None
    error: str | None = None
    taken_over_from: str | None = None
