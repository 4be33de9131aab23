"""``adversarial``: what every task sees is made to say nothing about a nuisance label.

The nuisance is a label column of a dataset that is not a task. A head of its own, the template's for clips, learns to
tell it from what the heads of that dataset's tasks see, and the gradient that goes on from it to the encoder is
reversed: times minus 2 / (1 + exp(-10 p)) - 1, with p the share of steps done. Its loss is the mean over these tasks;
each of them has its part. The head is not exported, and no figure of a study counts it. Tasks of other datasets are
trained as by ``soft``.

Sources: a blog about multi-task speech models; Ganin and Lempitsky 2015.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.options import Option, Text
from taskgraft.evaluators.algorithms.steps import PlainSteps
from taskgraft.evaluators.kinds.task_data import TaskData

if TYPE_CHECKING:
    from torch import Tensor, nn

    from taskgraft.evaluators.algorithms.learner import Learner, Step
    from taskgraft.evaluators.batches import Batch


def reversal(number: int, planned: int) -> float:
    """Return how strongly gradients are reversed at a step: 0 at first, then towards 1.

    >>> round(reversal(50, 100), 5)
    0.98661
    """
    return 2 / (1 + math.exp(-10 * number / planned)) - 1


@dataclass(frozen=True, slots=True)
class Adversarial(Algorithm):
    """Trains all tasks in every step, against a head that learns the ``nuisance`` column of a ``dataset``.

    A study of one dataset need not name it.
    """

    nuisance: str
    dataset: str | None = None
    name = "adversarial"
    options: ClassVar[Mapping[str, Option]] = {"nuisance": Text(), "dataset": Text(is_required=False)}

    @property
    def nuisance_label(self) -> tuple[str, str | None]:
        """The column, and its dataset if it is named."""
        return self.nuisance, self.dataset

    def begin(self, learner: "Learner") -> PlainSteps:
        """Return its steps.

        Raises:
            ValueError: the data have no nuisance.
        """
        nuisance = learner.data.nuisance
        if nuisance is None:
            raise ValueError(f"the data have no nuisance label {self.nuisance}")
        against = [name for name, task in learner.tasks.items() if task.corpus == nuisance.corpus]
        return AdversarialSteps(learner, nuisance, against) if against else PlainSteps(learner)


class AdversarialSteps(PlainSteps):
    """One batch of every task in every step, and a head for the nuisance of some tasks' data."""

    def __init__(self, learner: "Learner", nuisance: TaskData, against: Sequence[str]) -> None:
        from taskgraft.evaluators.algorithms.reversed_head import ReversedHead  # noqa: PLC0415  # needs torch

        super().__init__(learner)
        self._nuisance = nuisance
        self._head = ReversedHead(learner, nuisance.task, against)

    def enter(self, number: int) -> None:
        """Make model and head ready for steps."""
        super().enter(number)
        self._head.train()

    def batch(self, number: int) -> "Batch":
        """Return clips of every corpus, with the nuisance among the labels."""
        batches = self._learner.batches
        return batches.draw(batches.pools, [*self._learner.tasks.values(), self._nuisance])

    def losses(self, step: "Step") -> "Mapping[str, Tensor]":
        """Return the losses, those of the nuisance's dataset each with a part of what its head has to lose."""
        learner, name = self._learner, self._nuisance.task.name
        rows = {task: mine for task, mine in step.batch.rows.items() if task != name}
        with self._head.listening() as heard:
            losses = learner.losses(learner.ask(step.features, rows), step)
        factor = reversal(step.number, learner.planned)
        for task, encoded in heard.items():
            with learner.precision.autocast():
                scores = self._head(encoded, factor)
            (adverse,) = learner.losses({name: scores}, step).values()
            losses[task] = losses[task] + adverse / len(heard)
        return losses

    def parameters(self) -> "Mapping[str, nn.Parameter]":
        """Return the weights of the nuisance's head."""
        return {f"nuisance.{name}": weight for name, weight in self._head.head.named_parameters()}

    def tensors(self) -> "Mapping[str, Tensor]":
        """Return the nuisance's head."""
        return dict(self._head.head.state_dict())

    def restore(self, tensors: "Mapping[str, Tensor]") -> None:
        """Take over the nuisance's head."""
        self._head.head.load_state_dict(dict(tensors))
