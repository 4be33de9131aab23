"""Pruning: the trainings that a round goes on from."""

from dataclasses import replace

from taskgraft.search.evidence.trees import flat_tree
from taskgraft.search.study.pruning import Pruned
from taskgraft.search.study.trial import Training


def earlier_rounds(training: Training) -> tuple[Training, ...]:
    """Return the trainings whose weights say what a round of pruning leaves; none if nothing is pruned.

    That is the round before it. Tasks that share weights have a round each, alone.
    """
    pruning = training.pruning
    if pruning is None or not pruning.keeps:
        return ()
    before = replace(training, pruning=pruning.earlier)
    if pruning.form is not Pruned.SHARED:
        return (before,)
    depth = training.tree.depth
    return tuple(replace(before, tree=flat_tree((task,), depth, depth)) for task in training.tasks)


def all_rounds(training: Training) -> tuple[Training, ...]:
    """Return everything that a training goes on from, first things first, and the training itself."""
    earlier = dict.fromkeys(one for before in earlier_rounds(training) for one in all_rounds(before))
    return (*earlier, training)
