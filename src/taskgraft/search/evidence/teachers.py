"""Algorithms with teachers: the baselines whose weights a training of several tasks needs."""

from collections.abc import Mapping

from taskgraft.search.evidence.trees import flat_tree
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training


def teachers_of(training: Training, spec: StudySpec) -> Mapping[str, Training]:
    """Return the baseline that teaches each task of a training: the first repeat of its length; none without teachers.

    A trunk has none: the baselines themselves start from it. A training of another recipe has those of the study's own,
    as its references are.
    """
    if training.is_trunk:
        return {}
    depth = spec.encoder.depth
    taught = spec.training.under(training.recipe).algorithm.taught(training.tasks)
    return {task: Training(flat_tree((task,), depth, depth), epochs=training.epochs) for task in taught}
