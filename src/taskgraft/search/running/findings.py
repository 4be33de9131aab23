"""The tree of a study: verified, or synthesized from what its pairs have shown so far."""

from collections.abc import Mapping
from typing import Any

from taskgraft.errors import Conflict
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import matrix_of, synthesized_tree
from taskgraft.search.running.elsewhere import evidence_at
from taskgraft.search.strategies.explanation import tree_form
from taskgraft.search.study.preparation import tasks_from_facts
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Trial
from taskgraft.space.matrix import ReductionMatrix

_PAST_PAIRS = frozenset({Stage.SYNTHESIS, Stage.VERIFICATION, Stage.COMPRESSION, Stage.EXPORT})


def find_tree(study: Study, trials: tuple[Trial, ...], ar_threshold: float | None) -> Mapping[str, Any]:
    """Return the tree form of ``study`` at a threshold, by default its own.

    Sizes with heads are null before its first start. At another threshold, the tree shares what the trainings so far
    show to keep it; cells that they leave open are listed as unknown.

    Raises:
        Conflict: pairs that the tree depends on are still to be trained, or the study is a comparison.
    """
    if study.comparison:
        raise Conflict(f"study {study.id} is a comparison: it has no tree of its own")
    spec = study.spec
    threshold = spec.ar_threshold if ar_threshold is None else ar_threshold
    if study.tree is not None and threshold == spec.ar_threshold:
        return study.tree
    if study.stage not in _PAST_PAIRS and (unknown := _open_pairs(matrix_of(Evidence(spec, trials), False), spec)):
        raise Conflict(f"study {study.id} is {study.state}: {unknown} of its pairs are still to be trained")
    return tree_at(study, trials, threshold)


def tree_at(study: Study, trials: tuple[Trial, ...], threshold: float) -> Mapping[str, Any]:
    """Return the form of the tree that the trainings so far show at a threshold, also at the study's own."""
    there = study.at_threshold(threshold)
    evidence = evidence_at(there, trials)
    return tree_form(there, evidence, synthesized_tree(evidence), tasks_from_facts(study.facts))


def _open_pairs(matrix: ReductionMatrix, spec: StudySpec) -> int:
    return sum(_is_open(matrix, first, second, spec) for first, second in matrix.pairs())


def _is_open(matrix: ReductionMatrix, first: str, second: str, spec: StudySpec) -> bool:
    """Return whether a depth is unknown that could still be the pair's compatibility at the study's threshold."""
    for depth in sorted(spec.depths, reverse=True):
        cell = matrix.cell(first, second, depth)
        if cell is None:
            return True
        if cell.deciding(spec.decision) <= spec.ar_threshold:
            return False
    return False
