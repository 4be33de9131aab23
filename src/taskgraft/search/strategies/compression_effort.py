"""How many trainings make a study's tree smaller, before the tree is known."""

from collections.abc import Sequence
from functools import lru_cache

from taskgraft.search.evidence.pruned import all_rounds
from taskgraft.search.evidence.trees import flat_tree
from taskgraft.search.study.compression_spec import prunes
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.cost import independent_parameters
from taskgraft.space.tasks import Task
from taskgraft.space.tree import BranchTree


@lru_cache(maxsize=16)  # every decision asks for it, and it never changes
def compressing_trainings(spec: StudySpec, tasks: tuple[Task, ...]) -> tuple[int, int]:
    """Return how many trainings make a tree smaller, at least and at most.

    What is never pruned is the smallest share of a tree whose tasks share the first block only, so that it takes the
    fewest rounds. Of the parts of a tree, those that share all blocks take the most, with the largest heads.
    """
    if prunes(spec.compression) is None or not tasks:
        return 0, 0
    depth = spec.encoder.depth
    fewest = _count(spec, flat_tree(_names(tasks), 1 if len(tasks) > 1 else depth, depth), tasks)
    by_head = sorted(tasks, key=lambda task: independent_parameters(spec.encoder, [task]), reverse=True)
    of_parts = [
        _count(spec, flat_tree(_names(by_head[:size]), depth, depth), tasks) for size in range(1, len(tasks) + 1)
    ]
    most = [0]
    for count in range(1, len(tasks) + 1):
        most.append(max(of_parts[size - 1] + most[count - size] for size in range(1, count + 1)))
    return fewest, most[-1]


def _names(tasks: Sequence[Task]) -> tuple[str, ...]:
    return tuple(task.name for task in tasks)


def _count(spec: StudySpec, part: BranchTree, tasks: Sequence[Task]) -> int:
    """Return how many trainings of a part the search does not make anyway."""
    step = prunes(spec.compression)
    made = step.pruning(part, spec.encoder, tasks) if step else None
    return sum(one.pruning is not None for one in all_rounds(Training(made[0], pruning=made[1]))) if made else 0
