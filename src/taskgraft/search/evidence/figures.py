"""Figures of trees on validation: metrics and reductions, mean over the repeats that judge them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.evaluators.metrics import accuracy_reduction, reductions, worst_reduction
from taskgraft.search.evidence.trees import components
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Metrics and reductions of known trees. The one place of a study's search that computes an AR.

    ``known`` is what was measured, ``baselines`` the tree of each task alone, and ``repeats`` returns the trainings by
    which a part is judged. ``errors`` are the tasks whose metric is better if it is lower.
    """

    known: Mapping[Training, Measurement]
    baselines: Mapping[str, BranchTree]
    repeats: Callable[[BranchTree], Iterable[Training]]
    errors: frozenset[str] = frozenset()

    def trainings(self, tree: BranchTree) -> tuple[Training, ...]:
        """Return the finished trainings by which a tree is judged: all repeats of each of its components."""
        return tuple(training for part in components(tree) for training in self.repeats(part))

    def outcomes(self, task: str, tree: BranchTree) -> list[Outcomes]:
        """Return what every repeat of a part said about one of its tasks."""
        return [self.known[training].outcomes[task] for training in self.trainings(tree)]

    def _means(self, part: BranchTree, first: int | None = None) -> dict[str, float]:
        """Return each task's metric, mean over the ``first`` repeats of a part, by default over all."""
        repeats = [self.known[training].metrics for training in self.trainings(part)][:first]
        if len(repeats) == 1:  # numpy takes its time for lists
            return {task: float(repeats[0][task]) for task in part.tasks}
        return {task: float(np.mean([metrics[task] for metrics in repeats])) for task in part.tasks}

    def references(self, tasks: Iterable[str], first: int | None = None) -> dict[str, float]:
        """Return each task's baseline metric, mean over its ``first`` repeats, by default over all."""
        return {task: self._means(self.baselines[task], first)[task] for task in tasks}

    def metrics(self, tree: BranchTree) -> dict[str, float]:
        """Return the metric of every task of a known tree, mean over repeats."""
        return {task: value for part in components(tree) for task, value in self._means(part).items()}

    def reductions(self, tree: BranchTree) -> dict[str, float]:
        """Return the signed reduction of every task of a known tree; 0 for one whose baseline is not above 0."""
        return dict.fromkeys(tree.tasks, 0.0) | reductions(self.references(tree.tasks), self.metrics(tree), self.errors)

    def ar(self, tree: BranchTree) -> float:
        """Return the accuracy reduction of a known tree."""
        return accuracy_reduction(self.references(tree.tasks), self.metrics(tree), self.errors)

    def loss(self, training: Training, references: Mapping[str, float], tasks: Sequence[str]) -> float:
        """Return the largest signed reduction that one training had among some of its tasks."""
        measured = self.known[training].metrics
        return worst_reduction(references, {task: measured[task] for task in tasks}, self.errors)
