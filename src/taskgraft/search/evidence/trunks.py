"""`training.start: trunk`: for each seed and length, one model of all tasks that all others start from."""

from collections.abc import Iterable
from dataclasses import replace

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trees import flat_tree
from taskgraft.search.study.other_recipes import training_under
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training


def trunk_of(training: Training, spec: StudySpec) -> Training | None:
    """Return the trunk that a training starts from; None if it starts from scratch, as a trunk does itself.

    Trainings of another recipe have a trunk of that recipe. One with teachers starts as these do. What is pruned starts
    from a trained model.
    """
    if training.is_trunk or training.pruning or not spec.training.has_trunk:
        return None
    depth = spec.encoder.depth
    tree = flat_tree(spec.task_names, depth, depth)
    is_taught = training_under(spec, training.recipe).algorithm.taught(spec.task_names)
    recipe = None if is_taught else training.recipe
    return replace(training, tree=tree, is_probe=False, is_trunk=True, recipe=recipe)


def missing_trunks(trainings: Iterable[Training], evidence: Evidence) -> tuple[Training, ...]:
    """Return the trunks that have to end before all of these trainings can start."""
    trunks = dict.fromkeys(trunk_of(training, evidence.spec) for training in trainings)
    return tuple(trunk for trunk in trunks if trunk and trunk not in evidence.facts.trunks)


def own_epochs(training: Training, spec: StudySpec) -> int:
    """Return how many epochs a training takes itself: the trunk takes a part of those that the study says.

    Raises:
        InvalidInput: neither the training nor the study says a length.
    """
    trunk, rest = spec.training.split(training.epochs or spec.training.given_epochs)
    return trunk if training.is_trunk else rest
