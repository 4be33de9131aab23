"""How many trainings make a study's tree smaller, before the tree is known."""

from collections.abc import Sequence

from taskgraft.search.evidence.pruned import all_rounds
from taskgraft.search.evidence.trees import flat_tree
from taskgraft.search.study.compression_spec import prunes
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tasks import Task
from taskgraft.space.tree import BranchTree


def compressing_trainings(spec: StudySpec, tasks: Sequence[Task]) -> tuple[int, int]:
    """Return how many trainings make a tree smaller, at least and at most.

    The one in which all tasks share all blocks takes the fewest, the one in which all are alone the most.
    """
    step = prunes(spec.compression)
    if step is None or not tasks:
        return 0, 0
    depth, names = spec.encoder.depth, tuple(task.name for task in tasks)
    flat, alone = flat_tree(names, depth, depth), [flat_tree((name,), depth, depth) for name in names]
    counts = [len(_new(spec, part, tasks)) for part in (flat, *alone)]
    return min(counts[0], sum(counts[1:])), max(counts[0], sum(counts[1:]))


def _new(spec: StudySpec, part: BranchTree, tasks: Sequence[Task]) -> list[Training]:
    """Return the trainings of a part that the search does not make anyway."""
    step = prunes(spec.compression)
    made = step.pruning(part, spec.encoder, tasks) if step else None
    return [one for one in all_rounds(Training(made[0], pruning=made[1])) if one.pruning] if made else []
