"""A task with its labels, in the form that training and evaluation pick from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.space.tasks import Task


class LabelArrays(Protocol):
    """The labels of all clips of a corpus. Notation: ``n`` clips of a batch, ``s`` time steps."""

    def pick(self, clips: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the targets of a batch: of the ``clips`` [n], and of the rows [n, s] that their time steps stand for.

        Rows are those of the corpus's feature pack; row 0 is silence outside a clip.
        """

    def parts(self) -> tuple[NDArray[Any], ...]:
        """Return all that decides what is learned and measured."""


@dataclass(frozen=True, slots=True, eq=False)
class TaskData:
    """A task with its labels.

    ``clips`` are those of each split that can be learned from (train) or measured on (the others), ascending.
    ``class_weights`` say how much each class counts in the loss, in the form of the task's kind. ``unlabelled`` are the
    training clips of the corpus that nothing can be learned from.
    """

    task: Task
    corpus: str
    metric: str
    labels: tuple[str, ...]
    targets: LabelArrays
    clips: Mapping[Split, NDArray[np.int32]]
    class_weights: NDArray[np.float32]
    unlabelled: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
