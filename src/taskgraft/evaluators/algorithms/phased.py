"""Tasks that are trained one after the other, each for all planned steps: what ``freeze`` and ``serial`` share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from taskgraft.errors import Fault
from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.options import Option, TaskOrder
from taskgraft.evaluators.algorithms.steps import PlainSteps
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.pools import Pool, by_task
from taskgraft.space.tasks import TaskKind

if TYPE_CHECKING:
    from torch import nn

    from taskgraft.evaluators.algorithms.learner import Learner
    from taskgraft.evaluators.batches import Batch


@dataclass(frozen=True, slots=True)
class Phased(Algorithm):
    """Trains one task after the other, in an order that names every task of the study."""

    order: tuple[str, ...]
    options: ClassVar[Mapping[str, Option]] = {"order": TaskOrder()}
    has_phases = True

    def faults(self, tasks: Mapping[str, TaskKind]) -> Iterator[Fault]:
        """Yield which tasks the order leaves out, and what it names that is no task."""
        if left_out := [task for task in tasks if task not in self.order]:
            yield Fault("order", f"names every task of the study; {', '.join(left_out)} is left out")
        if others := [name for name in self.order if name not in tasks]:
            yield Fault("order", f"names tasks of the study, which are {', '.join(tasks)}; got {', '.join(others)}")

    def pools(self, tasks: Sequence[TaskData], size: int) -> Mapping[str, Pool]:
        """Return the clips of each task."""
        return by_task(tasks, size)


class PhasedSteps(PlainSteps):
    """One task a phase; with ``freezes``, what an earlier phase has trained stays as it is."""

    def __init__(self, learner: "Learner", order: Sequence[str], *, freezes: bool) -> None:
        super().__init__(learner)
        self._order = [task for task in order if task in learner.names]
        self._freezes = freezes

    def enter(self, number: int) -> None:
        """Freeze what earlier phases have trained: its weights, its running statistics, and its dropout."""
        super().enter(number)
        phase = number // self._learner.planned
        for module in self._trained_for(self._order[:phase]) if self._freezes else ():
            module.eval().requires_grad_(False)

    def batch(self, number: int) -> "Batch":
        """Return clips of the phase's task."""
        task = self._order[number // self._learner.planned]
        return self._learner.batches.draw([task], [self._learner.tasks[task]])

    def leave(self) -> None:
        """Thaw everything: an evaluation may look at gradients."""
        self._learner.model.requires_grad_(True)

    def _trained_for(self, tasks: Sequence[str]) -> "Iterator[nn.Module]":
        """Yield the nodes and heads that any of some tasks has."""
        model = self._learner.model
        for place, node in enumerate(model.tree.nodes()):
            if set(node.tasks) & set(tasks):
                yield model.nodes[str(place)]
        for place, task in enumerate(model.tree.tasks):
            if task in tasks:
                yield model.heads[place]
