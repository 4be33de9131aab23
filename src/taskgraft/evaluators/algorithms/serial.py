"""``serial``: tasks are trained one after the other, and nothing is frozen.

A later phase changes shared blocks by its own task alone, so earlier tasks may forget (their heads stay as they are).
Source: a blog about multi-task speech models names it beside joint training, and says no more.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskgraft.evaluators.algorithms.phased import Phased, PhasedSteps

if TYPE_CHECKING:
    from taskgraft.evaluators.algorithms.learner import Learner


@dataclass(frozen=True, slots=True)
class Serial(Phased):
    """Trains one task after the other."""

    name = "serial"

    def begin(self, learner: "Learner") -> PhasedSteps:
        """Return its steps."""
        return PhasedSteps(learner, self.order, freezes=False)
