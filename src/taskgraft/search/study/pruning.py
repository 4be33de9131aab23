"""Rounds of pruning: which one a training is, and which trainings it goes on from."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Self


class Pruned(StrEnum):
    """What a round of pruning leaves."""

    WEIGHTS = "weights"
    """The largest weights of the same tree, at their initial values (LTH)."""
    SHARED = "shared"
    """What each task alone has left, as one set of weights in columns (LT4REC)."""
    CHANNELS = "channels"
    """Whole channels, at their trained values."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """A round of pruning. ``keeps`` are the weights that each round so far leaves, the last one its own.

    With `Pruned.WEIGHTS`, no rounds at all stand for the network that is to be pruned. With `Pruned.CHANNELS`, the only
    number is that of the parameters of the network that is left. ``width`` is that of the encoder, if it is another one
    than the study's, and ``rewind`` the share of a training's steps after which values are taken.

    Raises:
        ValueError: a round that leaves no fewer weights than the one before it, or none; a form without its rounds.
    """

    form: Pruned
    keeps: tuple[int, ...] = ()
    width: float | None = None
    rewind: float = 0.0

    def __post_init__(self) -> None:
        alone = self.keeps[:-1] if self.form is Pruned.SHARED else self.keeps
        if any(later >= earlier for earlier, later in pairwise(alone)) or min(self.keeps, default=1) < 1:
            raise ValueError(f"every round leaves weights, and fewer than the one before it; got {self.keeps}")
        if not self.keeps and (self.form is not Pruned.WEIGHTS or self.width is None):
            raise ValueError(f"a round of {self.form.value} says what it leaves")
        if self.form is Pruned.CHANNELS and (len(self.keeps) > 1 or self.width is not None):
            raise ValueError(f"channels are pruned once, at the study's width; got {self.keeps}, {self.width}")

    @property
    def keep(self) -> int:
        """What this round leaves."""
        return self.keeps[-1]

    @property
    def earlier(self) -> "Pruning | None":
        """The round before it, of the same tree, or of each task alone if they share; None if there is none."""
        before = self.keeps[:-1]
        if self.form is Pruned.CHANNELS or not self.keeps or not (before or self.width):
            return None
        return Pruning(Pruned.WEIGHTS, before, self.width, self.rewind if before else 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, equal for equal rounds only."""
        return {"form": self.form.value, "keeps": list(self.keeps), "width": self.width, "rewind": self.rewind}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(Pruned(value["form"]), tuple(value["keeps"]), value["width"], value["rewind"])
