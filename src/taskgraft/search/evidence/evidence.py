"""What a study knows so far: measurements by training, and the reductions that follow from them."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from types import MappingProxyType

import numpy as np

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.evaluators.metrics import TaskComparison, accuracy_reduction, reduction_interval, reductions
from taskgraft.search.evidence.length import LengthSearch
from taskgraft.search.evidence.sequential import SequentialTests
from taskgraft.search.statistics.certainty import Verdict
from taskgraft.search.statistics.chance import is_at_chance
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise
from taskgraft.search.statistics.training_length import SeedSpreads
from taskgraft.search.study.spec import AUTO, Strategy, StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.matrix import Cell, Decision, Pair, ReductionMatrix
from taskgraft.space.template import get_template
from taskgraft.space.tree import BranchTree

_COMPARED = 5
"""Trainings that a baseline is compared with to see how far trainings of its task differ."""


def components(tree: BranchTree) -> tuple[BranchTree, ...]:
    """Return the trees that a tree falls into if its root shares nothing; otherwise the tree itself.

    Trees that share no block do not influence each other, so they are trained and measured one by one: a task that
    ends up alone is its baseline, two tasks that end up together are the pair that was trained already.
    """
    if tree.root.length or tree.root.is_leaf:
        return (tree,)
    return tuple(BranchTree(child, tree.depth) for child in tree.root.children)


@cache
def _flat(tasks: tuple[str, ...], shared: int, depth: int) -> BranchTree:
    """Return a flat tree; cached, since every decision looks up baselines and pairs, and making a tree is slower."""
    return BranchTree.flat(tasks, shared, depth)


class Evidence:
    """The finished trainings of a study, in the terms of its decisions. Grows by `add`; everything else is derived.

    With `training.epochs: auto`, only trainings of the length that the study uses are looked at; those of ``lengths``
    that are shorter or longer serve to choose it. Readers of a ledger may leave them out.
    """

    def __init__(self, spec: StudySpec, trials: Iterable[Trial] = (), lengths: Sequence[int] = ()) -> None:
        self._spec = spec
        self._depth = get_template(spec.template).depth
        self._known: dict[Training, Measurement] = {}
        self._taken_over = self._confirming_taken_over = 0
        self._confirming: dict[Training, Measurement] = {}
        self._failed: dict[Training, str] = {}
        self._intervals: dict[BranchTree, tuple[float, float]] = {}
        self._at_chance: dict[str, bool] = {}
        self._baselines = {task: _flat((task,), self._depth, self._depth) for task in spec.task_names}
        self.length = (
            LengthSearch(spec, self._known, self._baselines, lengths) if spec.training.epochs == AUTO else None
        )
        self._epochs: int | None = None
        self._is_length_known = False
        self._tests = (
            SequentialTests(spec, self._known, self._baselines, self.training) if spec.repeats == AUTO else None
        )
        for trial in trials:
            self.add(trial)

    def add(self, trial: Trial) -> None:
        """Add one more finished training; one that only confirms a chosen tree is kept apart."""
        self._taken_over += trial.taken_over_from is not None
        if trial.measurement and trial.training.is_confirming:
            self._confirming[trial.training] = trial.measurement
            self._confirming_taken_over += trial.taken_over_from is not None
        elif trial.state is TrialState.COMPLETE and trial.measurement:
            self._known[trial.training] = trial.measurement
            if self._tests:
                self._intervals.clear()  # what is known of the noise of seeds changed
            if self.length:
                self._is_length_known = False
                self._at_chance.clear()  # a baseline of another length may stand for its task now
        else:
            self._failed[trial.training] = trial.error or "unknown error"

    @property
    def count(self) -> int:
        """How many trainings have ended."""
        return len(self._known) + len(self._confirming) + len(self._failed)

    @property
    def taken_over(self) -> int:
        """How many of the trainings that have ended were taken over from other studies."""
        return self._taken_over

    @property
    def trained(self) -> int:
        """How many of the trainings that have ended were trained by this study's search: what its budget counts."""
        return len(self._known) + len(self._failed) - (self._taken_over - self._confirming_taken_over)

    @property
    def confirming(self) -> Mapping[Training, Measurement]:
        """Trainings of a tree that was chosen already; nothing else here looks at them."""
        return MappingProxyType(self._confirming)

    @property
    def failures(self) -> Mapping[Training, str]:
        """Trainings that failed, and why."""
        return MappingProxyType(self._failed)

    @property
    def measurements(self) -> Iterable[Measurement]:
        """What the finished trainings measured."""
        return self._known.values()

    # The length of trainings

    @property
    def epochs(self) -> int | None:
        """The length of the trainings that count, if the study leaves it open; None if the study says it."""
        if not self._is_length_known:
            self._epochs, self._is_length_known = self.length.epochs if self.length else None, True
        return self._epochs

    def training(self, tree: BranchTree, repeat: int = 0, is_probe: bool = False) -> Training:
        """Return the training of a tree that has the study's length."""
        return Training(tree, repeat, is_probe, self.epochs)

    def baseline_spreads(self) -> SeedSpreads:
        """Return how far the baselines of tasks above chance differ by their seed, those that confirm a tree too."""
        metrics = {task.name: task.metric for task in self._spec.tasks}
        said: dict[str, list[Outcomes]] = {task: [] for task in self.tasks_above_chance() if self.has_baselines([task])}
        for training, measured in (*self._known.items(), *self._confirming.items()):
            if training.tasks[0] in said and training == self.training(
                self.baseline(training.tasks[0]), training.repeat
            ):
                said[training.tasks[0]].append(measured.outcomes[training.tasks[0]])
        return SeedSpreads.of({task: Repeats.of(metrics[task], seeds) for task, seeds in said.items() if seeds})

    @property
    def stretches(self) -> Iterable[float]:
        """How many times as long as one of the first length each of the `measurements` took, in their order."""
        return [self.length.stretch(training) if self.length else 1.0 for training in self._known]

    @property
    def only_for_length(self) -> int:
        """How many trainings served to choose the training length, and nothing else."""
        if not self.length:
            return 0
        repeats = sys.maxsize if self._tests else int(self._spec.repeats)
        return sum(one.epochs != self.epochs or one.repeat >= repeats for one in self._known)

    # The trainings that decide about a tree

    def trainings(self, tree: BranchTree) -> tuple[Training, ...]:
        """Return the finished trainings by which a tree is judged: all repeats of each of its components."""
        return tuple(training for part in components(tree) for training in self._repeats(part))

    def _repeats(self, part: BranchTree) -> Iterator[Training]:
        """Yield the finished repeats of a component; if both a whole training and a probe ended, the whole one."""
        limit = self._tests.repeats(part) if self._tests else int(self._spec.repeats)
        for repeat in range(limit):
            whole, probe = self.training(part, repeat), self.training(part, repeat, is_probe=True)
            if whole in self._known or probe in self._known:
                yield whole if whole in self._known else probe

    def unanswered(self, tree: BranchTree) -> tuple[Training, ...]:
        """Return the trainings that have to end before it is known whether a tree keeps the threshold."""
        return tuple(training for part in components(tree) for training in self._questions(part))

    def _questions(self, part: BranchTree) -> Iterator[Training]:
        if self._tests:
            yield from self._tests.wanted(part)
            return
        answered = {training.repeat for training in self._repeats(part)}
        is_probe = self._spec.stops_early and self._spec.decision is Decision.POINT and len(part.tasks) > 1
        yield from (
            self.training(part, repeat, is_probe) for repeat in range(int(self._spec.repeats)) if repeat not in answered
        )

    def unfinished(self, tree: BranchTree) -> tuple[Training, ...]:
        """Return the trainings that have to end before a tree can be delivered: a probe cut short is not enough."""
        wanted = []
        for part in components(tree):
            wanted += [replace(one, is_probe=False) for one in self._questions(part)]
            wanted += [replace(one, is_probe=False) for one in self._repeats(part) if self._was_accepted(one)]
        return tuple(dict.fromkeys(wanted))

    def _was_accepted(self, training: Training) -> bool:
        """Return whether a probe ended because it kept the threshold; one that broke it needs no more steps."""
        cut_short = training.is_probe and self._known[training].is_censored
        return cut_short and self.ar(training.tree) <= self._spec.ar_threshold

    # Baselines

    def baseline(self, task: str) -> BranchTree:
        """Return the tree of one task alone."""
        return self._baselines[task]

    def references(self, tasks: Sequence[str]) -> dict[str, float]:
        """Return each task's baseline metric, mean over its repeats; the baselines must be known."""
        return {task: self._mean(self.baseline(task))[task] for task in tasks}

    def first_references(self, tasks: Sequence[str]) -> dict[str, float]:
        """Return each task's baseline metric that no later repeat changes; trainings choose checkpoints by it."""
        return {task: self._mean(self.baseline(task), self._spec.baseline_repeats)[task] for task in tasks}

    def curves(self, tasks: Sequence[str]) -> dict[str, Sequence[Mapping[str, float]]]:
        """Return how each task's metric grew while its first baseline was trained."""
        return {task: self._known[self.training(self.baseline(task))].curve for task in tasks}

    def has_baselines(self, tasks: Sequence[str]) -> bool:
        """Return whether the baselines of all these tasks are known."""
        return not any(self.unanswered(self.baseline(task)) for task in tasks)

    def is_at_chance(self, task: str) -> bool:
        """Return whether a known baseline is not significantly better than always predicting the most frequent label.

        The lower end of its 95 % interval on validation decides.
        """
        if not self.has_baselines([task]):
            return False
        if task not in self._at_chance:
            metric = next(one.metric for one in self._spec.tasks if one.name == task)
            said = self._known[self.training(self.baseline(task))].outcomes[task]
            self._at_chance[task] = is_at_chance(metric, said)
        return self._at_chance[task]

    def tasks_above_chance(self) -> tuple[str, ...]:
        """Return the tasks that AR says something about, in the order of the study."""
        return tuple(task for task in self._spec.task_names if not self.is_at_chance(task))

    # All tasks together

    def whole_group(self) -> BranchTree | None:
        """Return the tree of all tasks above chance at the deepest depth; None if they are fewer than three.

        The baselines must be known.
        """
        tasks = self.tasks_above_chance()
        return _flat(tasks, max(self._spec.depths), self._depth) if len(tasks) > 2 else None

    def affinities(self) -> Mapping[Pair, float]:
        """Return how much pairs of tasks agreed when the whole group was first trained; empty if it has not been.

        A later training of the same model changes nothing: what was asked in an order keeps it.
        """
        whole = self.whole_group()
        first = (self.training(whole, is_probe=True), self.training(whole)) if whole else ()
        return next((self._known[one].affinities for one in first if one in self._known), {})

    # What follows for a tree

    def is_measured(self, tree: BranchTree) -> bool:
        """Return whether the tree has enough trainings to be judged. With `repeats: auto`, more may be wanted."""
        if not self.has_baselines(tree.tasks):
            return False
        if self._tests:
            return all(any(self._repeats(part)) for part in components(tree))
        return not self.unanswered(tree)

    def is_known(self, tree: BranchTree) -> bool:
        """Return whether no further training is needed to tell if a tree keeps the threshold."""
        return self.is_measured(tree) and not self.unanswered(tree)

    def _mean(self, tree: BranchTree, first: int | None = None) -> dict[str, float]:
        repeats = [self._known[training].metrics for training in self.trainings(tree)][:first]
        return {task: float(np.mean([metrics[task] for metrics in repeats])) for task in tree.tasks}

    def metrics(self, tree: BranchTree) -> dict[str, float]:
        """Return the validation metric of every task of a known tree, mean over repeats."""
        return {task: value for part in components(tree) for task, value in self._mean(part).items()}

    def reductions(self, tree: BranchTree) -> dict[str, float]:
        """Return the signed reduction of every task of a known tree, on validation."""
        return reductions(self.references(tree.tasks), self.metrics(tree))

    def ar(self, tree: BranchTree) -> float:
        """Return the accuracy reduction of a known tree, on validation."""
        return accuracy_reduction(self.references(tree.tasks), self.metrics(tree))

    def is_bound(self, tree: BranchTree) -> bool:
        """Return whether a training of the tree ended early, so that its AR is an upper bound."""
        return any(self._known[training].is_censored for training in self.trainings(tree))

    def interval(self, tree: BranchTree) -> tuple[float, float]:
        """Return the AR's 95 % interval, on validation. The point estimate always lies in it."""
        if tree not in self._intervals:
            shared = [part for part in components(tree) if len(part.tasks) > 1]  # a task alone is its own baseline
            if self._tests:
                low, high = self._tests.interval(shared)
            else:
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
        """Return the repeat of a known tree that keeps most on validation (for a baseline: the best metric)."""
        references = self.references(tree.tasks)

        def lost(training: Training) -> float:
            return max(reductions(references, self._known[training].metrics).values())

        return min(self.trainings(tree), key=lost)

    def outcomes_of(self, trainings: Iterable[Training]) -> dict[str, list[Outcomes]]:
        """Return what models said on validation about each of their tasks, as one repeat."""
        return {task: [self._known[training].outcomes[task]] for training in trainings for task in training.tasks}

    def baseline_outcomes(self) -> dict[str, list[Outcomes]]:
        """Return what the baselines said on validation, every repeat."""
        return {
            task: [self._known[training].outcomes[task] for training in self.trainings(self.baseline(task))]
            for task in self._spec.task_names
        }

    def answers_about(self, task: str) -> tuple[Outcomes, list[Outcomes]]:
        """Return what the first known baseline of a task said on validation, and what a few other trainings did.

        Only those that keep the threshold for the task, if there are any: others differ for more reasons than chance.
        """
        baseline = self.trainings(self.baseline(task))[0]
        reference = {task: self.references([task])[task]}
        others = [
            training
            for training in self._known
            if task in training.tasks and training != baseline and training.epochs == baseline.epochs
        ]

        def breaks(training: Training) -> bool:
            metrics = {task: self._known[training].metrics[task]}
            return reductions(reference, metrics)[task] > self._spec.ar_threshold

        chosen = [training for training in others if not breaks(training)] or others
        return self._known[baseline].outcomes[task], [self._known[one].outcomes[task] for one in chosen[-_COMPARED:]]

    def seed_noise(self, with_confirming: bool = False) -> SeedNoise:
        """Return how much trainings differ by their seed, from everything that was trained more than once."""
        metrics = {task.name: task.metric for task in self._spec.tasks}
        trees = dict.fromkeys(training.tree for training in self._known)
        repeats = {tree: [self._known[one].outcomes for one in self._repeats(tree)] for tree in trees}
        for training, measured in self._confirming.items() if with_confirming else ():
            repeats.setdefault(training.tree, []).append(measured.outcomes)
        return SeedNoise.pool(
            Repeats.of(metrics[task], [outcomes[task] for outcomes in said])
            for tree, said in repeats.items()
            for task in tree.tasks
            if len(said) > 1 and said[0][task].clip_count > 1
        )

    def deciding_ar(self, tree: BranchTree) -> float:
        """Return the figure that is compared with the threshold: the AR, or its interval's upper end."""
        return self.ar(tree) if self._spec.decision is Decision.POINT else self.interval(tree)[1]

    def keeps(self, tree: BranchTree) -> bool:
        """Return whether a measured tree keeps the study's threshold on validation; with `repeats: auto`, for sure."""
        if self._tests:
            shared = (part for part in components(tree) if len(part.tasks) > 1)  # a task alone is its own baseline
            return all(self._tests.verdict(part) is Verdict.KEEPS for part in shared)
        return self.deciding_ar(tree) <= self._spec.ar_threshold

    # The matrix

    def pair(self, first: str, second: str, depth: int) -> BranchTree:
        """Return the tree of two tasks that share ``depth`` blocks."""
        return _flat((first, second), depth, self._depth)

    def _measured_trees(self) -> Iterator[BranchTree]:
        trees = {training.tree: None for training in self._known if len(training.tasks) > 1}
        return (tree for tree in trees if self.is_measured(tree))

    def kept_trees(self) -> tuple[BranchTree, ...]:
        """Return every tree of several tasks that was trained and keeps the threshold."""
        return tuple(tree for tree in self._measured_trees() if self.keeps(tree))

    def broken_trees(self) -> Iterator[BranchTree]:
        """Yield every tree of several tasks that was trained and does not keep the threshold."""
        return (tree for tree in self._measured_trees() if not self.keeps(tree))

    def undecided(self) -> tuple[BranchTree, ...]:
        """Return the trees whose repeats leave open whether they keep the threshold; none without `repeats: auto`."""
        if not self._tests:
            return ()
        return tuple(tree for tree in self._measured_trees() if self._tests.verdict(tree) is Verdict.OPEN)

    def matrix(self, with_intervals: bool = True) -> ReductionMatrix:
        """Return the AR of every pair at every depth that is known by now.

        If whole groups are tried, a group stands for its pairs: none of them is taken to lose more than the group
        did.
        """
        cells: dict[tuple[str, str], dict[int, Cell]] = {}
        for tree in sorted(self._measured_trees(), key=lambda tree: len(tree.tasks)):
            if len(tree.tasks) > 2 and self._spec.strategy is not Strategy.GROUPS:
                continue
            low, high = self.interval(tree) if with_intervals else (None, None)
            for pair in combinations(tree.tasks, 2):
                is_bound = len(tree.tasks) > 2 or self.is_bound(tree)
                cell = Cell(self.ar(tree), 0.0 if is_bound and with_intervals else low, high, is_bound)
                by_depth, depth = cells.setdefault(pair, {}), tree.shared_depth(*pair)
                if depth not in by_depth or (by_depth[depth].is_bound and cell.ar < by_depth[depth].ar):
                    by_depth[depth] = cell
        return ReductionMatrix(self._spec.task_names, cells)

    def decisive_matrix(self) -> ReductionMatrix:
        """Return the part of the matrix that decides the tree: every pair down to its compatibility, no cell below.

        What is below is known to some strategies only, or from verification. If it broke ties, the tree would depend
        on what has been verified already. Cells that are undecided are left out.
        """
        matrix = self.matrix(with_intervals=self._spec.decision is Decision.CONFIDENT)
        if undecided := self.undecided():
            open_cells = {(*tree.tasks, tree.root.blocks[1]) for tree in undecided if len(tree.tasks) == 2}
            cells = {
                pair: {depth: cell for depth, cell in by_depth.items() if (*pair, depth) not in open_cells}
                for pair, by_depth in matrix.cells.items()
            }
            matrix = ReductionMatrix(matrix.tasks, cells)
        return decisive(matrix, self._spec.ar_threshold, self._spec.decision)


def decisive(matrix: ReductionMatrix, threshold: float, decision: Decision) -> ReductionMatrix:
    """Return the matrix without the cells below each pair's compatibility."""
    graph = matrix.compatibility(threshold, decision)
    kept = {pair: graph.get_edge_data(*pair, {}).get("weight", 0) for pair in matrix.cells}
    cells = {
        pair: {depth: cell for depth, cell in by_depth.items() if depth >= kept[pair]}
        for pair, by_depth in matrix.cells.items()
    }
    return ReductionMatrix(matrix.tasks, cells)


def reduction_matrix(spec: StudySpec, trials: Iterable[Trial]) -> ReductionMatrix:
    """Return the reduction matrix of a study, with intervals, as far as its ledger goes."""
    return Evidence(spec, trials).matrix()
