"""What a study knows so far: measurements by training, and the reductions that follow from them."""

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.evaluators.metrics import TaskComparison, accuracy_reduction, reduction_interval, reductions
from taskgraft.search.spec import StudySpec
from taskgraft.search.trial import Training, Trial, TrialState
from taskgraft.space.matrix import Cell, Decision, ReductionMatrix
from taskgraft.space.template import get_template
from taskgraft.space.tree import BranchTree


def components(tree: BranchTree) -> tuple[BranchTree, ...]:
    """The trees that a tree falls into where its root shares nothing; the tree itself where it does.

    Trees that share no block do not influence each other, so they are trained and measured one by one: a task that
    ends up alone is its baseline, two tasks that end up together are the pair that was trained already.
    """
    if tree.root.length or tree.root.is_leaf:
        return (tree,)
    return tuple(BranchTree(child, tree.depth) for child in tree.root.children)


@cache
def _flat(tasks: tuple[str, ...], shared: int, depth: int) -> BranchTree:
    """Baselines and pairs are looked up at every decision; making and checking a tree takes longer than finding it."""
    return BranchTree.flat(tasks, shared, depth)


class Evidence:
    """The finished trainings of a study, in the terms of its decisions. Grows by `add`; everything else is derived."""

    def __init__(self, spec: StudySpec, trials: Iterable[Trial] = ()) -> None:
        self._spec = spec
        self._depth = get_template(spec.template).depth
        self._known: dict[Training, Measurement] = {}
        self._failed: dict[Training, str] = {}
        self._intervals: dict[BranchTree, tuple[float, float]] = {}
        for trial in trials:
            self.add(trial)

    def add(self, trial: Trial) -> None:
        """Take in one more finished training."""
        if trial.state is TrialState.COMPLETE and trial.measurement:
            self._known[trial.training] = trial.measurement
        else:
            self._failed[trial.training] = trial.error or "unknown error"

    @property
    def count(self) -> int:
        """How many trainings have ended."""
        return len(self._known) + len(self._failed)

    @property
    def failure(self) -> tuple[Training, str] | None:
        """A training that failed, and why."""
        return next(iter(self._failed.items()), None)

    def trainings(self, tree: BranchTree) -> tuple[Training, ...]:
        """Every training that measuring a tree takes: each of its components, repeated as the study asks."""
        return tuple(Training(part, repeat) for part in components(tree) for repeat in range(self._spec.repeats))

    def missing(self, tree: BranchTree) -> tuple[Training, ...]:
        """Those of a tree's trainings that have not ended yet."""
        return tuple(training for training in self.trainings(tree) if training not in self._known)

    def baseline(self, task: str) -> BranchTree:
        """The tree of one task alone."""
        return _flat((task,), self._depth, self._depth)

    def references(self, tasks: Sequence[str]) -> dict[str, float]:
        """Each task's baseline metric, mean over its repeats; the baselines must be known."""
        return {task: self._mean(self.baseline(task))[task] for task in tasks}

    def has_baselines(self, tasks: Sequence[str]) -> bool:
        """Whether the baselines of all these tasks are known."""
        return not any(self.missing(self.baseline(task)) for task in tasks)

    def is_known(self, tree: BranchTree) -> bool:
        """Whether the AR of a tree follows from what is known."""
        return not self.missing(tree) and self.has_baselines(tree.tasks)

    def _mean(self, tree: BranchTree) -> dict[str, float]:
        repeats = [self._known[training].metrics for training in self.trainings(tree)]
        return {task: float(np.mean([metrics[task] for metrics in repeats])) for task in tree.tasks}

    def metrics(self, tree: BranchTree) -> dict[str, float]:
        """The validation metric of every task of a known tree, mean over repeats."""
        return {task: value for part in components(tree) for task, value in self._mean(part).items()}

    def reductions(self, tree: BranchTree) -> dict[str, float]:
        """Signed reduction of every task of a known tree, on validation."""
        return reductions(self.references(tree.tasks), self.metrics(tree))

    def ar(self, tree: BranchTree) -> float:
        """Accuracy reduction of a known tree, on validation."""
        return accuracy_reduction(self.references(tree.tasks), self.metrics(tree))

    def interval(self, tree: BranchTree) -> tuple[float, float]:
        """The AR's 95 % interval, on validation. The point estimate always lies in it."""
        if tree not in self._intervals:
            shared = [part for part in components(tree) if len(part.tasks) > 1]  # a task alone is its own baseline
            low, high = reduction_interval([self._comparison(task, part) for part in shared for task in part.tasks])
            ar = self.ar(tree)
            self._intervals[tree] = (min(low, ar), max(high, ar))
        return self._intervals[tree]

    def _comparison(self, task: str, part: BranchTree) -> TaskComparison:
        spec = next(one for one in self._spec.tasks if one.name == task)
        return TaskComparison(
            spec.dataset,
            spec.metric,
            [self._known[training].outcomes[task] for training in self.trainings(self.baseline(task))],
            [self._known[training].outcomes[task] for training in self.trainings(part)],
        )

    def best_repeat(self, tree: BranchTree) -> Training:
        """Of a known tree's repeats, the one that keeps most on validation (for a baseline: the best metric)."""
        references = self.references(tree.tasks)

        def lost(training: Training) -> float:
            return max(reductions(references, self._known[training].metrics).values())

        return min(self.trainings(tree), key=lost)

    def outcomes_of(self, trainings: Iterable[Training]) -> dict[str, list[Outcomes]]:
        """What models said on validation about each of their tasks, as one repeat."""
        return {task: [self._known[training].outcomes[task]] for training in trainings for task in training.tasks}

    def baseline_outcomes(self) -> dict[str, list[Outcomes]]:
        """What the baselines said on validation, every repeat."""
        return {
            task: [self._known[training].outcomes[task] for training in self.trainings(self.baseline(task))]
            for task in self._spec.task_names
        }

    def deciding_ar(self, tree: BranchTree) -> float:
        """The figure that is held against the threshold: the AR, or its interval's upper end."""
        return self.ar(tree) if self._spec.decision is Decision.POINT else self.interval(tree)[1]

    def keeps(self, tree: BranchTree) -> bool:
        """Whether a known tree keeps the study's threshold on validation."""
        return self.deciding_ar(tree) <= self._spec.ar_threshold

    def pair(self, first: str, second: str, depth: int) -> BranchTree:
        """The tree of two tasks that share ``depth`` blocks."""
        return _flat((first, second), depth, self._depth)

    def matrix(self, with_intervals: bool = True) -> ReductionMatrix:
        """AR of every pair at every depth that is known by now."""
        cells: dict[tuple[str, str], dict[int, Cell]] = {}
        for tree in {training.tree: None for training in self._known}:
            if len(tree.tasks) == 2 and self.is_known(tree):
                first, second = tree.tasks
                low, high = self.interval(tree) if with_intervals else (None, None)
                cells.setdefault((first, second), {})[tree.root.blocks[1]] = Cell(self.ar(tree), low, high)
        return ReductionMatrix(self._spec.task_names, cells)

    def decisive_matrix(self) -> ReductionMatrix:
        """The part of the matrix that the tree is made of: every pair down to its compatibility, no cell below.

        What is below is known to some strategies only, or from verification. If it broke ties, the tree would depend
        on the strategy, and on what has been verified already.
        """
        matrix = self.matrix(with_intervals=self._spec.decision is Decision.CONFIDENT)
        return decisive(matrix, self._spec.ar_threshold, self._spec.decision)


def decisive(matrix: ReductionMatrix, threshold: float, decision: Decision) -> ReductionMatrix:
    """The matrix without the cells below each pair's compatibility."""
    graph = matrix.compatibility(threshold, decision)
    kept = {pair: graph.get_edge_data(*pair, {}).get("weight", 0) for pair in matrix.cells}
    cells = {
        pair: {depth: cell for depth, cell in by_depth.items() if depth >= kept[pair]}
        for pair, by_depth in matrix.cells.items()
    }
    return ReductionMatrix(matrix.tasks, cells)


def reduction_matrix(spec: StudySpec, trials: Iterable[Trial]) -> ReductionMatrix:
    """The reduction matrix of a study, with intervals, as far as its ledger goes."""
    return Evidence(spec, trials).matrix()
