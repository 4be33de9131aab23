"""Teachers: the baselines of the tasks of a model, whose answers it learns from. Needs no torch."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Teachers:
    """The trained weights of the baseline of each task.

    ``weights`` are those of `taskgraft.evaluators.training.pack_weights`. The representation is short, because Ray Tune
    makes names of whatever a job holds.
    """

    weights: Mapping[str, bytes] = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of the tasks and their weights."""
        found = sorted((task, hashlib.sha256(weights).hexdigest()) for task, weights in self.weights.items())
        return hashlib.sha256(repr(found).encode()).hexdigest()
