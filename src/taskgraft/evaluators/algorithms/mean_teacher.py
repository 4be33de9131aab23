"""``mean-teacher``: an events task learns from clips with strong, with weak and without labels, and from a teacher.

A quarter of each batch has strong labels, a quarter weak ones, and half none; if there are no weak clips, the strong
ones take their place, and the other way round. Without unlabelled clips, batches are those of ``soft``. Of all clips of
the batch, the loss of the events task has the mean square difference between the model's answers and those of the
teacher: those for time steps and those for whole clips. Other tasks of the same dataset learn from the labels that its
clips have; those of other datasets as in ``soft``.

Sources: the scenes and events study of 2024 (batches of 12 + 12 + 24); Tarvainen and Valpola 2017. The weight of 2 and
its ramp are those of the baseline of DCASE 2023 task 4. There, teacher and model see other noise; here, the same clips.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from taskgraft.errors import Fault
from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.options import Amount, Option
from taskgraft.evaluators.algorithms.steps import PlainSteps
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.kinds.events import EventLabels
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.pools import Pool, by_corpus
from taskgraft.space.tasks import TaskKind

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.algorithms.learner import Learner, Step

WEIGHT = 2.0
"""Of the teacher, once its ramp is over."""
_UNLABELLED_SHARE = 2
"""One of so many parts of a batch is unlabelled."""


@dataclass(frozen=True, slots=True)
class MeanTeacher(Algorithm):
    """Trains all tasks in every step, and events tasks with a teacher and unlabelled clips."""

    weight: float = WEIGHT
    name = "mean-teacher"
    options: ClassVar[Mapping[str, Option]] = {"weight": Amount(100)}
    learns_from_unlabelled = True

    def faults(self, tasks: Mapping[str, TaskKind]) -> Iterator[Fault]:
        """Yield that there is no events task."""
        if TaskKind.EVENTS not in tasks.values():
            yield Fault("", f"{self.name} is for studies with a task of kind events, and this one has none: use soft")

    def pools(self, tasks: Sequence[TaskData], size: int) -> Mapping[str, Pool]:
        """Return the clips of each corpus; if there are unlabelled ones, divided by their labels."""
        found: dict[str, Pool] = {}
        for corpus, pool in by_corpus(tasks, size).items():
            task = next((task for task in tasks if task.corpus == corpus and _is_events(task)), None)
            divided = task is not None and len(task.unlabelled)
            found |= _divided(task, size) if task is not None and divided else {corpus: pool}
        return found

    def begin(self, learner: "Learner") -> PlainSteps:
        """Return its steps."""
        taught = [name for name, task in learner.tasks.items() if _is_events(task)]
        return MeanTeacherSteps(learner, taught, self.weight) if taught and self.weight else PlainSteps(learner)


class MeanTeacherSteps(PlainSteps):
    """One batch of every task in every step, and a teacher for some tasks."""

    def __init__(self, learner: "Learner", taught: Sequence[str], weight: float) -> None:
        from taskgraft.evaluators.algorithms.teacher import Teacher  # noqa: PLC0415  # needs torch

        super().__init__(learner)
        self._taught = taught
        self._weight = weight
        self._teacher: Teacher = Teacher(learner.model)

    def losses(self, step: "Step") -> "Mapping[str, Tensor]":
        """Return the losses, those of events tasks with how far the model is from its teacher."""
        import torch  # noqa: PLC0415

        from taskgraft.evaluators.algorithms.teacher import ramp  # noqa: PLC0415

        learner, rows = self._learner, step.batch.rows
        scores = learner.ask(step.features, rows)
        with torch.no_grad():
            taught = learner.ask(step.features, {task: rows[task] for task in self._taught}, self._teacher.model)
        weight = self._weight * ramp(step.number, learner.planned)
        losses = learner.losses(scores, step)
        for task in self._taught:
            losses[task] = losses[task] + weight * learner.difference(task, scores[task], taught[task])
        return losses

    def taken(self, number: int) -> None:
        """Let the teacher follow."""
        self._teacher.follow(number)

    def tensors(self) -> "Mapping[str, Tensor]":
        """Return the teacher."""
        return self._teacher.tensors()

    def restore(self, tensors: "Mapping[str, Tensor]") -> None:
        """Take over the teacher."""
        self._teacher.restore(tensors)


def _is_events(task: TaskData) -> bool:
    return task.task.kind is TaskKind.EVENTS


def _divided(task: TaskData, size: int) -> dict[str, Pool]:
    """Return the pools of an events task with strong labels, with weak ones and with none; their sizes add up."""
    assert isinstance(task.targets, EventLabels)
    train = task.clips[Split.TRAIN]
    is_weak = (task.targets.weak[train] != MISSING).any(axis=1)
    labelled = {name: clips for name, clips in (("strong", train[~is_weak]), ("weak", train[is_weak])) if len(clips)}
    rest = size - size // _UNLABELLED_SHARE
    sizes = [len(part) for part in np.array_split(np.arange(rest), len(labelled))]
    pools = {
        f"{task.corpus}, {name}": Pool(task.corpus, clips, count)
        for (name, clips), count in zip(labelled.items(), sizes, strict=True)
    }
    return pools | {f"{task.corpus}, unlabelled": Pool(task.corpus, task.unlabelled, size // _UNLABELLED_SHARE)}
