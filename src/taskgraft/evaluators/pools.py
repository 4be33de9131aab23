"""Which clips a step draws together. Plain numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.kinds.task_data import TaskData


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Clips of one corpus, and how many of them a step draws."""

    corpus: str
    clips: NDArray[np.int32]
    size: int


def by_corpus(tasks: Sequence[TaskData], size: int) -> dict[str, Pool]:
    """Return one pool for each corpus: the training clips that any of the tasks learns from."""
    return {
        corpus: Pool(corpus, training_clips([task for task in tasks if task.corpus == corpus]), size)
        for corpus in {task.corpus: None for task in tasks}
    }


def by_task(tasks: Sequence[TaskData], size: int) -> Mapping[str, Pool]:
    """Return one pool for each task: the training clips that it learns from."""
    return {task.task.name: Pool(task.corpus, training_clips([task]), size) for task in tasks}


def training_clips(tasks: Sequence[TaskData]) -> NDArray[np.int32]:
    """Return the training clips that any of some tasks of one corpus learns from, ascending."""
    clips: NDArray[np.int32] = np.unique(np.concatenate([task.clips[Split.TRAIN] for task in tasks]))
    return clips
