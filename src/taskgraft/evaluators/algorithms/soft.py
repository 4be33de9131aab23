"""``soft``: one batch of every task, one step on all losses together.

Source: the scenes and events study of 2024, which takes their mean; how losses become one is the study's weighting.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.steps import PlainSteps

if TYPE_CHECKING:
    from taskgraft.evaluators.algorithms.learner import Learner


@dataclass(frozen=True, slots=True)
class Soft(Algorithm):
    """Trains all tasks in every step."""

    name = "soft"
    is_like_alone = True

    def begin(self, learner: "Learner") -> PlainSteps:
        """Return its steps."""
        return PlainSteps(learner)
