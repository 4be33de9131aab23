"""How well a search found out which pairs fit together, held against a reference of many seeds."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import mean

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import matrix_of
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Trial
from taskgraft.space.matrix import Decision, Pair, ReductionMatrix

Depths = Mapping[Pair, int]
"""Compatibility of every pair: the depth that it may share, 0 where it fits nowhere."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A search's compatibilities against the reference's."""

    pairs: int
    equal: float
    """Share of the pairs whose compatibility is the same, 0..1."""
    too_deep: float
    """Share of the pairs that the search would let share more than the reference does, 0..1."""
    depth_difference: float
    """Mean over pairs of the absolute difference, in blocks."""


def agreement(found: Depths, reference: Depths) -> Agreement:
    """Compare pair by pair.

    Raises:
        ValueError: the two speak of different pairs, or of none.
    """
    if not reference or found.keys() != reference.keys():
        raise ValueError(f"both speak of the same pairs; got {sorted(found)} and {sorted(reference)}")
    differences = [found[pair] - reference[pair] for pair in reference]
    return Agreement(
        len(differences),
        equal=mean(one == 0 for one in differences),
        too_deep=mean(one > 0 for one in differences),
        depth_difference=mean(map(abs, differences)),
    )


def matrix_depths(spec: StudySpec, matrix: ReductionMatrix) -> dict[Pair, int]:
    """Every pair's compatibility at the study's threshold, as its matrix says."""
    graph = matrix.compatibility(spec.ar_threshold, spec.decision)
    return {pair: graph.get_edge_data(*pair, {}).get("weight", 0) for pair in combinations(spec.task_names, 2)}


def evidence_depths(spec: StudySpec, trials: Iterable[Trial]) -> dict[Pair, int]:
    """Every pair's compatibility as a study's trainings tell it, however few cells its strategy asked.

    That is the largest depth tried that keeps the threshold, in the pair's own cells or in a tree of more tasks: every
    pair of a tree that keeps the threshold is taken to keep it at the depth that it shares there.
    """
    trials = list(trials)
    evidence = Evidence(spec, trials)
    seen = matrix_depths(spec, matrix_of(evidence, with_intervals=spec.decision is Decision.CONFIDENT))
    depths = {pair: tried_depth(depth, spec.depths) for pair, depth in seen.items()}
    for tree in {trial.training.tree: None for trial in trials}:
        if len(tree.tasks) > 2 and evidence.is_known(tree) and evidence.meets_threshold(tree):
            for pair in combinations(tree.tasks, 2):
                depths[pair] = max(depths[pair], tried_depth(tree.shared_depth(*pair), spec.depths))
    return depths


def tried_depth(depth: int, tried: Collection[int]) -> int:
    """The largest depth of those tried that is no deeper; 0 where there is none.

    >>> tried_depth(5, (4, 6, 8)), tried_depth(3, (4, 6, 8))
    (4, 0)
    """
    return max((one for one in tried if one <= depth), default=0)
