"""`confirm: K`: tree and baselines are trained again with further seeds, to measure what the tree keeps on average.

These trainings come after the search is over, and no decision of it looks at them.
"""

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trees import shared_parts
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import FIRST_CONFIRMING, Training
from taskgraft.space.tree import BranchTree


def confirming_repeats(spec: StudySpec) -> range:
    """Return the repeats that confirm a study's tree: none of them is one of the search's own."""
    return range(FIRST_CONFIRMING, FIRST_CONFIRMING + spec.confirm)


def confirming_trainings(spec: StudySpec, evidence: Evidence, tree: BranchTree) -> tuple[Training, ...]:
    """Return every training that confirms the tree: with each further seed its parts, and the baselines of their tasks.

    A task that shares nothing is its own baseline, whatever the seed: it takes no training.
    """
    parts = shared_parts(tree)
    models = [*(evidence.baseline(task) for part in parts for task in part.tasks), *parts]
    return tuple(evidence.training(model, repeat) for repeat in confirming_repeats(spec) for model in models)


def most_trainings(spec: StudySpec, tasks: int) -> int:
    """Return how many trainings confirm a tree of so many tasks at most: when they share two by two."""
    return spec.confirm * (tasks + tasks // 2 + spec.training.has_trunk) if tasks > 1 else 0


def fewest_trainings(spec: StudySpec) -> int:
    """Return how many trainings confirm a tree that shares anything at least: two tasks and their baselines."""
    return (3 + spec.training.has_trunk) * spec.confirm


def expected_trainings(spec: StudySpec, evidence: Evidence) -> int:
    """Return how many trainings will confirm the tree if all tasks above chance share something."""
    tasks = evidence.tasks_above_chance()
    return spec.confirm * (len(tasks) + 1 + spec.training.has_trunk) if len(tasks) > 1 else 0
