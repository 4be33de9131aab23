"""System `tag`: groups by how a step for one task changes the loss of the others.

Source: Fifty et al., Efficiently identifying task groupings for multi-task learning, NeurIPS 2021.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from taskgraft.search.comparison.group_models import group_model
from taskgraft.search.comparison.grouping import MAX_GROUPED_TASKS, Worth, best_groups
from taskgraft.search.comparison.protocol import Known, Model, System
from taskgraft.search.comparison.refusals import no_groups
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Pair


class TaskAffinityGroups(System):
    """One joint training that shares all blocks and measures lookahead affinities; then the groups that follow."""

    name = "tag"
    summary = (
        f"groups by lookahead affinity, within the tree's size; up to {MAX_GROUPED_TASKS} tasks (Fifty 2021, task "
        "affinity groupings)"
    )

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse one task, more than the search takes, and a budget below one network."""
        return no_groups(spec, comparison)

    def asks(self, known: Known) -> Sequence[Training]:
        """Return the one joint training."""
        return (Training(known.flat(known.tasks)),)

    def models(self, known: Known) -> Sequence[Model]:
        """Return the best groups; nothing before the joint training has ended."""
        (joint,) = self.asks(known)
        if known.comparison.groups is None or not known.have_ended([joint]):
            return ()
        affinities = known.evidence.facts.known[joint].lookaheads
        groups = best_groups(known.tasks, known.comparison.groups, mean_affinity(affinities))
        return (group_model(self.name, groups, known),)

    def most_to_come(self, spec: StudySpec, comparison: Comparison) -> int:
        """Return the networks that the budget allows, or one for each task."""
        return min(len(spec.tasks), comparison.groups or len(spec.tasks))

    def looks_ahead(self, training: Training, known: Known) -> bool:
        """Return whether this is the joint training."""
        return training in self.asks(known)


def mean_affinity(affinities: Mapping[Pair, float]) -> Worth:
    """Return how much a group helps each task: the mean affinity of its other tasks onto it; 0 alone.

    ``affinities`` has Z(i -> j) under (i, j): what a step for i does to the loss of j.
    """

    def worth(group: tuple[str, ...], task: str) -> float:
        others = [affinities[other, task] for other in group if other != task]
        return float(np.mean(others)) if others else 0.0

    return worth
