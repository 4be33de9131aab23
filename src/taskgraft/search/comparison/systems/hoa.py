"""System `hoa`: groups by the higher-order approximation.

Source: Standley et al., Which tasks should be learned together in multi-task learning?, ICML 2020, section 4.3: a task
is expected to do in a group as it does, on average, in its pairs with the others.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from taskgraft.evaluators.metrics import METRICS
from taskgraft.search.comparison.group_models import group_model
from taskgraft.search.comparison.grouping import MAX_GROUPED_TASKS, Worth, best_groups
from taskgraft.search.comparison.protocol import Known, Model, System
from taskgraft.search.comparison.refusals import no_groups
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Pair


class HigherOrder(System):
    """Pairs that share all blocks, one seed, on validation; then the groups that they foretell."""

    name = "hoa"
    summary = (
        f"groups that pairs foretell, within the tree's size; up to {MAX_GROUPED_TASKS} tasks (Standley 2020, "
        "higher-order approximation)"
    )

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse one task, more than the search takes, and a budget below one network."""
        return no_groups(spec, comparison)

    def asks(self, known: Known) -> Sequence[Training]:
        """Return every pair, sharing all blocks."""
        return [Training(known.flat(pair)) for pair in combinations(known.tasks, 2)]

    def models(self, known: Known) -> Sequence[Model]:
        """Return the best groups; nothing before all pairs and baselines have ended."""
        alone = {task: known.evidence.training(known.evidence.baseline(task)) for task in known.tasks}
        if known.comparison.groups is None or not known.have_ended([*alone.values(), *self.asks(known)]):
            return ()
        baselines = {task: known.metrics(training)[task] for task, training in alone.items()}
        pairs = {training.tasks: known.metrics(training) for training in self.asks(known)}
        relative = {
            (first, second): {task: kept(known, task, baselines[task], metrics[task]) for task in (first, second)}
            for (first, second), metrics in pairs.items()
        }
        groups = best_groups(known.tasks, known.comparison.groups, expected(relative))
        return (group_model(self.name, groups, known),)

    def most_to_come(self, spec: StudySpec, comparison: Comparison) -> int:
        """Return the networks that the budget allows, or one for each task."""
        return min(len(spec.tasks), comparison.groups or len(spec.tasks))


def kept(known: Known, task: str, baseline: float, value: float) -> float:
    """Return what a task keeps of its baseline, 1 if it loses nothing; the metric itself if the baseline is at 0."""
    metric = METRICS[known.spec.metrics[task]]
    return 1 - metric.reduction(baseline, value) if baseline > 0 else metric.better(value)


def expected(pairs: Mapping[Pair, Mapping[str, float]]) -> Worth:
    """Return how each task is expected to do in a group: its mean over its pairs with the others; 1 alone.

    ``pairs`` have the metric of both tasks as a share of their baselines, each pair in one of its two orders.
    """

    def worth(group: tuple[str, ...], task: str) -> float:
        others = [other for other in group if other != task]
        if not others:
            return 1.0
        return float(np.mean([_pair(pairs, task, other)[task] for other in others]))

    return worth


def _pair(pairs: Mapping[Pair, Mapping[str, float]], task: str, other: str) -> Mapping[str, float]:
    return pairs[task, other] if (task, other) in pairs else pairs[other, task]
