"""``task-attention``: each head sees as much of every feature as its task lets through.

Of the features f of a time step, the head of task t sees sigmoid(W f + U e_t) * f. Tasks of a model share W and U, and
each learns a vector e_t of its own. These weights are part of what is delivered. Steps are those of ``soft``.

Source: a blog about multi-task speech models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.options import OneOf, Option
from taskgraft.evaluators.algorithms.steps import PlainSteps
from taskgraft.space.gates import NO_GATE, Gate, Over, TaskGate
from taskgraft.space.template import Template

if TYPE_CHECKING:
    from taskgraft.evaluators.algorithms.learner import Learner


@dataclass(frozen=True, slots=True)
class TaskAttention(Algorithm):
    """Trains all tasks in every step, with a gate before each head."""

    over: str = Over.STEP.value
    name = "task-attention"
    options: ClassVar[Mapping[str, Option]] = {"over": OneOf([over.value for over in Over])}

    def template(self, given: Template) -> Template:
        """Return the template with gates."""
        return _gated(given, TaskGate(Over(self.over)))

    def begin(self, learner: "Learner") -> PlainSteps:
        """Return its steps.

        Raises:
            ValueError: the data's template has no gates.
        """
        if learner.data.template.gate == NO_GATE:
            raise ValueError(f"{learner.data.template.name} has no gates: take the template of the algorithm")
        return PlainSteps(learner)


@lru_cache(64)
def _gated(template: Template, gate: Gate) -> Template:
    return replace(template, gate=gate)
