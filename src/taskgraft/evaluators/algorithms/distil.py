"""``distil``: the baselines of a model's tasks teach it.

The loss of a task is (1 - a) times its own, plus a times how far the model's answers are from those of the task's
baseline (`taskgraft.evaluators.kinds.protocol.Kind.divergence`): T^2 KL(softmax(teacher / T), softmax(model / T)) of
classes, and the like of other kinds. Baselines see what the model sees, and do not learn. They answer about every clip
of their own dataset in the batch, whether or not it has a label of their task; with ``others``, about those of all
datasets. Batches are those of ``soft``. One task, or a share of 0, is ``soft``.

Source: Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015. It is about classes; a share of
0.5 and a temperature of 2 are our choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.options import Amount, Flag, Option
from taskgraft.evaluators.algorithms.soft import Soft
from taskgraft.evaluators.algorithms.steps import PlainSteps

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.algorithms.learner import Learner, Step


@dataclass(frozen=True, slots=True)
class Distil(Algorithm):
    """Trains all tasks in every step, by their labels and by the answers of their baselines."""

    temperature: float = 2.0
    share: float = 0.5
    others: bool = False
    name = "distil"
    options: ClassVar[Mapping[str, Option]] = {
        "temperature": Amount(100, least=0.1),
        "share": Amount(1),
        "others": Flag(),
    }

    def taught(self, tasks: Sequence[str]) -> Sequence[str]:
        """Return all tasks if there are several, and teachers count."""
        return tasks if self.share and len(tasks) > 1 else ()

    def among(self, tasks: Sequence[str]) -> Algorithm:
        """Return ``soft`` if nothing is taught: studies by either share these trainings."""
        return self if self.taught(tasks) else Soft()

    def begin(self, learner: "Learner") -> PlainSteps:
        """Return its steps."""
        return DistilSteps(learner, self) if self.taught(learner.names) else PlainSteps(learner)


class DistilSteps(PlainSteps):
    """One batch of every task in every step, and a teacher for each task. Teachers stay as they are: no state."""

    def __init__(self, learner: "Learner", algorithm: Distil) -> None:
        from taskgraft.evaluators.algorithms.baselines import baseline_models  # noqa: PLC0415  # needs torch

        super().__init__(learner)
        self._algorithm = algorithm
        self._baselines = baseline_models(learner)

    def losses(self, step: "Step") -> "Mapping[str, Tensor]":
        """Return the losses, each with its part of what the baseline teaches."""
        learner, rows, share = self._learner, step.batch.rows, self._algorithm.share
        scores = learner.ask(step.features, None if self._algorithm.others else rows)
        labelled = {task: scores[task][mine] for task, mine in rows.items()} if self._algorithm.others else scores
        losses = learner.losses(labelled, step)
        taught = self._taught(step)
        return {
            task: (1 - share) * loss + share * self._divergence(task, step, scores, taught)
            for task, loss in losses.items()
        }

    def _taught(self, step: "Step") -> "dict[str, Tensor]":
        """Return what the baselines say about the clips that they teach."""
        import torch  # noqa: PLC0415

        said: dict[str, Tensor] = {}
        with torch.no_grad():
            for task, baseline in self._baselines.items():
                rows = None if self._algorithm.others else {task: step.batch.rows[task]}
                said |= self._learner.ask(step.features, rows, baseline)
        return said

    def _divergence(
        self, task: str, step: "Step", scores: "Mapping[str, Tensor]", taught: "Mapping[str, Tensor]"
    ) -> "Tensor":
        rows = None if self._algorithm.others else step.batch.rows[task]
        return self._learner.divergence(task, scores[task], taught[task], self._algorithm.temperature, step, rows)
