"""``freeze``: the first task is trained alone; then each other one, with what it shares with earlier ones frozen.

Source: the scenes and events study of 2024. There, both tasks share all blocks, so that only a head is left to train.
In a tree with branches, blocks that no earlier task has are trained, too: nothing else would train them (our choice).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskgraft.evaluators.algorithms.phased import Phased, PhasedSteps

if TYPE_CHECKING:
    from taskgraft.evaluators.algorithms.learner import Learner


@dataclass(frozen=True, slots=True)
class Freeze(Phased):
    """Trains one task after the other and freezes what is trained."""

    name = "freeze"

    def begin(self, learner: "Learner") -> PhasedSteps:
        """Return its steps."""
        return PhasedSteps(learner, self.order, freezes=True)
