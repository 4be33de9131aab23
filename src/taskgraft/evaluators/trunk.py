"""Trunks: models that share every block among all tasks, and whose weights others start from. Needs no torch."""

import hashlib
from dataclasses import dataclass, field


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
