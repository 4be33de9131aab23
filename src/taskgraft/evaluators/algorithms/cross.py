"""``cross-soft`` and ``cross-hard``: soft or hard steps, and every task also answers about the data of the others.

For each pair (task a, data of b), the loss of task a has the mean square difference between the model's answers and
those of a teacher, which is the moving average of the model. With one task there is no pair, and no teacher.

Source: the scenes and events study of 2024. It does not say how the average and the weight go: both are those of the
baseline of DCASE 2023 task 4 (`teacher`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.hard import HardSteps
from taskgraft.evaluators.algorithms.options import Amount, Option
from taskgraft.evaluators.algorithms.steps import PlainSteps
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.pools import Pool, by_task

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.algorithms.learner import Learner, Step

WEIGHT = 2.0
"""Of the teacher, once its ramp is over."""


@dataclass(frozen=True, slots=True)
class CrossSoft(Algorithm):
    """Trains all tasks in every step, each on the data of all."""

    weight: float = WEIGHT
    name = "cross-soft"
    options: ClassVar[Mapping[str, Option]] = {"weight": Amount(100)}

    def begin(self, learner: "Learner") -> PlainSteps:
        """Return its steps."""
        return CrossSoftSteps(learner, self.weight) if len(learner.names) > 1 else PlainSteps(learner)


@dataclass(frozen=True, slots=True)
class CrossHard(Algorithm):
    """Trains one task in each step, whose data the others answer about, too."""

    weight: float = WEIGHT
    name = "cross-hard"
    options: ClassVar[Mapping[str, Option]] = {"weight": Amount(100)}

    def pools(self, tasks: Sequence[TaskData], size: int) -> Mapping[str, Pool]:
        """Return the clips of each task."""
        return by_task(tasks, size)

    def begin(self, learner: "Learner") -> PlainSteps:
        """Return its steps."""
        return CrossHardSteps(learner, self.weight) if len(learner.names) > 1 else HardSteps(learner)


class CrossLosses:
    """The losses of a step with its pairs, and the teacher that they ask."""

    def __init__(self, learner: "Learner", weight: float) -> None:
        from taskgraft.evaluators.algorithms.teacher import Teacher  # noqa: PLC0415  # needs torch

        self._learner = learner
        self._weight = weight
        self.teacher: Teacher = Teacher(learner.model)

    def of(self, step: "Step") -> "Mapping[str, Tensor]":
        """Return the loss of each task: its own on its own data, and its pairs' on that of the others."""
        learner, rows = self._learner, step.batch.rows
        scores = learner.ask(step.features, None)
        losses = learner.losses({task: scores[task][mine] for task, mine in rows.items()}, step)
        for task, pairs in self._pairs(step, scores).items():
            losses[task] = losses[task] + pairs if task in losses else pairs
        return losses

    def _pairs(self, step: "Step", scores: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """Return for each task its weighed difference from the teacher, summed over the data of all other tasks."""
        import torch  # noqa: PLC0415

        from taskgraft.evaluators.algorithms.teacher import ramp  # noqa: PLC0415

        with torch.no_grad():
            taught = self._learner.ask(step.features, None, self.teacher.model)
        weight = self._weight * ramp(step.number, self._learner.planned)
        found: dict[str, Tensor] = {}
        for task in scores:
            others = [rows for name, rows in step.batch.rows.items() if name != task]
            if others:
                terms = [self._learner.difference(task, scores[task][rows], taught[task][rows]) for rows in others]
                found[task] = weight * torch.stack(terms).sum()
        return found


class CrossSoftSteps(PlainSteps):
    """One batch of every task in every step, and a teacher."""

    def __init__(self, learner: "Learner", weight: float) -> None:
        super().__init__(learner)
        self._cross = CrossLosses(learner, weight)

    def losses(self, step: "Step") -> "Mapping[str, Tensor]":
        """Return the losses with those of all pairs."""
        return self._cross.of(step)

    def taken(self, number: int) -> None:
        """Let the teacher follow."""
        self._cross.teacher.follow(number)

    def tensors(self) -> "Mapping[str, Tensor]":
        """Return the teacher."""
        return self._cross.teacher.tensors()

    def restore(self, tensors: "Mapping[str, Tensor]") -> None:
        """Take over the teacher."""
        self._cross.teacher.restore(tensors)


class CrossHardSteps(HardSteps):
    """One task a step, and a teacher."""

    def __init__(self, learner: "Learner", weight: float) -> None:
        super().__init__(learner, asks_all=True)
        self._cross = CrossLosses(learner, weight)

    def losses(self, step: "Step") -> "Mapping[str, Tensor]":
        """Return the losses with those of the pairs that the step has data of."""
        return self._cross.of(step)

    def taken(self, number: int) -> None:
        """Let the teacher follow the model as it would be evaluated."""
        self._statistics.merge()
        self._cross.teacher.follow(number)

    def tensors(self) -> "Mapping[str, Tensor]":
        """Return statistics and teacher."""
        return {**super().tensors(), **self._cross.teacher.tensors()}

    def restore(self, tensors: "Mapping[str, Tensor]") -> None:
        """Take over statistics and teacher."""
        super().restore(tensors)
        self._cross.teacher.restore({name: tensor for name, tensor in tensors.items() if name.startswith("teacher.")})
