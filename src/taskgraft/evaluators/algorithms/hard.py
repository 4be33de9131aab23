"""``hard``: step n trains task n mod T only, with its own data.

Batch normalisation: blocks that several tasks share keep running statistics for each of them, and a step changes those
of its own task only. So they do not drift towards whichever corpus came last. What is evaluated and exported has the
statistics of all these tasks' data taken together, each task counting the same. Steps themselves normalise by their
batch, as always.

Source: the scenes and events study of 2024; what it does about statistics it does not say, so that is our choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.steps import PlainSteps
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.pools import Pool, by_task

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.algorithms.learner import Learner
    from taskgraft.evaluators.batches import Batch


@dataclass(frozen=True, slots=True)
class Hard(Algorithm):
    """Trains one task in each step, all in turn."""

    name = "hard"

    def pools(self, tasks: Sequence[TaskData], size: int) -> Mapping[str, Pool]:
        """Return the clips of each task."""
        return by_task(tasks, size)

    def begin(self, learner: "Learner") -> "HardSteps":
        """Return its steps."""
        return HardSteps(learner)


class HardSteps(PlainSteps):
    """One task a step. With ``asks_all``, all of the model sees its clips, and not only its own path."""

    def __init__(self, learner: "Learner", *, asks_all: bool = False) -> None:
        from taskgraft.evaluators.algorithms.statistics import TaskStatistics  # noqa: PLC0415  # needs torch

        super().__init__(learner)
        self._statistics = TaskStatistics(learner.model, everywhere=asks_all)

    def task(self, number: int) -> str:
        """Return the task of a step."""
        return self._learner.names[number % len(self._learner.names)]

    def batch(self, number: int) -> "Batch":
        """Return clips of one task."""
        task = self.task(number)
        self._statistics.enter(task)
        return self._learner.batches.draw([task], [self._learner.tasks[task]])

    def leave(self) -> None:
        """Give the model the statistics of all tasks."""
        self._statistics.merge()

    def tensors(self) -> "Mapping[str, Tensor]":
        """Return the statistics of every task."""
        return self._statistics.tensors()

    def restore(self, tensors: "Mapping[str, Tensor]") -> None:
        """Take over the statistics of every task."""
        self._statistics.restore(tensors)
