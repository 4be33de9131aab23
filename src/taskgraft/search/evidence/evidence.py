"""What a study knows so far, in the terms of its decisions: recorded facts, judged by fixed or sequential repeats."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from taskgraft.search.evidence.chance import is_at_chance
from taskgraft.search.evidence.facts import Facts
from taskgraft.search.evidence.figures import Figures
from taskgraft.search.evidence.fixed import FixedRepeats
from taskgraft.search.evidence.judge import Judge
from taskgraft.search.evidence.length import LengthSearch
from taskgraft.search.evidence.level import LevelRepeats
from taskgraft.search.evidence.sequential import SequentialRepeats
from taskgraft.search.evidence.trees import components, flat_tree
from taskgraft.search.study.fields import AUTO
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import FIRST_CONFIRMING, Training, Trial
from taskgraft.space.matrix import Decision
from taskgraft.space.tree import BranchTree


def _judge_of(spec: StudySpec) -> type[FixedRepeats] | type[SequentialRepeats]:
    """Return who judges the trees of a study."""
    if spec.repeats == AUTO:
        return SequentialRepeats
    on_a_level = spec.strategy.accepts_on_a_level and spec.decision is Decision.POINT
    return LevelRepeats if on_a_level else FixedRepeats


class Evidence:
    """The finished trainings of a study, in the terms of its decisions. Grows by `add`; everything else is derived.

    ``facts`` are the trainings, ``judge`` says by which of them a tree is judged and whether it meets the threshold,
    and ``figures`` what it measured.

    With `training.epochs: auto`, ``length`` chooses among ``lengths``, which readers of a ledger may leave out, and
    only trainings of the length that the study uses are looked at; all others serve to choose it.
    """

    def __init__(self, spec: StudySpec, trials: Iterable[Trial] = (), lengths: Sequence[int] = ()) -> None:
        self.spec = spec
        self.facts = Facts()
        self._depth = spec.encoder.depth
        self._baselines = {task: flat_tree((task,), self._depth, self._depth) for task in spec.task_names}
        self._at_chance: dict[str, bool] = {}
        self.judge: Judge = _judge_of(spec)(spec, self.facts.known, self._baselines, self.training)
        is_open = spec.training.epochs == AUTO
        self.length = LengthSearch(spec, self.facts.known, self._baselines, lengths) if is_open else None
        self._epochs: tuple[int, int | None] = (-1, None)
        for trial in trials:
            self.add(trial)

    def add(self, trial: Trial) -> None:
        """Add one more finished training; one that only confirms a chosen tree is kept apart."""
        self.facts.add(trial)
        if self.length:
            self._at_chance.clear()  # a baseline of another length may stand for its task now

    def assuming(self, trial: Trial) -> "Evidence":
        """Return what would be known if this training, too, had ended like that; this evidence stays as it is."""
        assumed = Evidence(self.spec)
        assumed.facts.take_all(self.facts)
        assumed.judge.take_figures(self.judge)
        if assumed.length and self.length:
            assumed.length.take_looks(self.length)
        assumed._at_chance.update(self._at_chance)
        assumed.add(trial)
        return assumed

    @property
    def figures(self) -> Figures:
        """Metrics and reductions on validation, over the repeats that judge a tree."""
        return self.judge.figures

    # The length of trainings

    @property
    def epochs(self) -> int | None:
        """The length of the trainings that are looked at, if the study leaves it open; None if the study says it."""
        known = len(self.facts.known)
        if self.length and self._epochs[0] != known:
            self._epochs = (known, self.length.epochs)
        return self._epochs[1]

    def training(self, tree: BranchTree, repeat: int = 0, is_probe: bool = False) -> Training:
        """Return the training of a tree that has the study's length."""
        return Training(tree, repeat, is_probe, self.epochs)

    @property
    def stretches(self) -> Iterable[float]:
        """How many times as long as one of the first length each training in `facts.known` took."""
        return [self.length.stretch(training) if self.length else 1.0 for training in self.facts.known]

    @property
    def only_for_length(self) -> int:
        """How many trainings served to choose the training length, and nothing else."""
        if not self.length:
            return 0
        repeats = self.spec.most_repeats
        ended = (*self.facts.known, *self.facts.trunks)
        return sum(
            training.epochs != self.epochs or repeats <= training.repeat < FIRST_CONFIRMING for training in ended
        )

    # The trainings that decide about a tree

    def trainings(self, tree: BranchTree) -> tuple[Training, ...]:
        """Return the finished trainings by which a tree is judged: all repeats of each of its components."""
        return self.figures.trainings(tree)

    def unanswered(self, tree: BranchTree) -> tuple[Training, ...]:
        """Return the trainings that have to end before it is known whether a tree meets the threshold."""
        return tuple(training for part in components(tree) for training in self.judge.wanted(part))

    def unfinished(self, tree: BranchTree) -> tuple[Training, ...]:
        """Return the trainings that have to end before a tree can be delivered: a probe cut short is not enough."""
        wanted: list[Training] = []
        for part in components(tree):
            wanted += self.judge.wanted(part)
            wanted += filter(self._was_accepted, self.judge.repeats(part))
        return tuple(dict.fromkeys(replace(training, is_probe=False) for training in wanted))

    def _was_accepted(self, training: Training) -> bool:
        """Return whether a probe ended because it met the threshold; one that broke it needs no more steps."""
        cut_short = training.is_probe and self.facts.known[training].is_censored
        return cut_short and self.ar(training.tree) <= self.spec.ar_threshold

    # Baselines

    def baseline(self, task: str) -> BranchTree:
        """Return the tree of one task alone."""
        return self._baselines[task]

    def references(self, tasks: Sequence[str]) -> dict[str, float]:
        """Return each task's baseline metric, mean over its repeats; the baselines must be known."""
        return self.figures.references(tasks)

    def first_references(self, tasks: Sequence[str]) -> dict[str, float]:
        """Return each task's baseline metric that no later repeat changes; trainings choose checkpoints by it."""
        return self.figures.references(tasks, self.spec.baseline_repeats)

    def curves(self, tasks: Sequence[str]) -> dict[str, Sequence[Mapping[str, float]]]:
        """Return how each task's metric grew while its first baseline was trained."""
        return {task: self.facts.known[self.training(self.baseline(task))].curve for task in tasks}

    def has_baselines(self, tasks: Sequence[str]) -> bool:
        """Return whether the baselines of all these tasks are known."""
        return not any(self.unanswered(self.baseline(task)) for task in tasks)

    def is_at_chance(self, task: str) -> bool:
        """Return whether a known baseline is not significantly better than chance, or not above 0, on validation."""
        if not self.has_baselines([task]):
            return False
        if task not in self._at_chance:
            said = self.facts.known[self.training(self.baseline(task))].outcomes[task]
            has_ar = self.references([task])[task] > 0
            self._at_chance[task] = not has_ar or is_at_chance(self.spec.metrics[task], said)
        return self._at_chance[task]

    def tasks_above_chance(self) -> tuple[str, ...]:
        """Return the tasks that AR says something about, in the order of the study."""
        return tuple(task for task in self.spec.task_names if not self.is_at_chance(task))

    # What follows for a tree

    def is_measured(self, tree: BranchTree) -> bool:
        """Return whether the tree has enough trainings to be judged. With `repeats: auto`, more may be wanted."""
        return self.has_baselines(tree.tasks) and all(map(self.judge.is_measured, components(tree)))

    def is_known(self, tree: BranchTree) -> bool:
        """Return whether no further training is needed to tell if a tree meets the threshold."""
        return self.is_measured(tree) and not self.unanswered(tree)

    def metrics(self, tree: BranchTree) -> dict[str, float]:
        """Return the validation metric of every task of a known tree, mean over repeats."""
        return self.figures.metrics(tree)

    def reductions(self, tree: BranchTree) -> dict[str, float]:
        """Return the signed reduction of every task of a known tree, on validation."""
        return self.figures.reductions(tree)

    def ar(self, tree: BranchTree) -> float:
        """Return the accuracy reduction of a known tree, on validation."""
        return self.figures.ar(tree)

    def is_bound(self, tree: BranchTree) -> bool:
        """Return whether a training of the tree ended early, so that its AR is an upper bound."""
        return any(self.facts.known[training].is_censored for training in self.trainings(tree))

    def interval(self, tree: BranchTree) -> tuple[float, float]:
        """Return the AR's 95 % interval, on validation. The point estimate always lies in it."""
        return self.judge.interval(tree)

    def deciding_ar(self, tree: BranchTree) -> float:
        """Return the figure that is compared with the threshold: the AR, or its interval's upper end."""
        return self.ar(tree) if self.spec.decision is Decision.POINT else self.interval(tree)[1]

    def meets_threshold(self, tree: BranchTree) -> bool:
        """Return whether a measured tree meets the study's threshold on validation; with `repeats: auto`, for sure."""
        return self.judge.meets_threshold(tree)

    def best_repeat(self, tree: BranchTree) -> Training:
        """Return the repeat of a known tree that loses least on validation (for a baseline: the best metric)."""
        references = self.references(tree.tasks)
        return min(self.trainings(tree), key=lambda training: self.figures.loss(training, references, tree.tasks))

    # All trees so far

    def pair(self, first: str, second: str, depth: int) -> BranchTree:
        """Return the tree of two tasks that share ``depth`` blocks."""
        return flat_tree((first, second), depth, self._depth)

    def measured_trees(self) -> Iterator[BranchTree]:
        """Yield every tree of several tasks that was trained and can be judged."""
        trees = {training.tree: None for training in self.facts.known if len(training.tasks) > 1}
        return filter(self.is_measured, trees)

    def kept_trees(self) -> tuple[BranchTree, ...]:
        """Return every tree of several tasks that was trained and meets the threshold."""
        return tuple(filter(self.meets_threshold, self.measured_trees()))

    def broken_trees(self) -> Iterator[BranchTree]:
        """Yield every tree of several tasks that was trained and does not meet the threshold."""
        return (tree for tree in self.measured_trees() if not self.meets_threshold(tree))

    def undecided(self) -> tuple[BranchTree, ...]:
        """Return the trees whose repeats leave open whether they meet the threshold; none without `repeats: auto`."""
        return tuple(filter(self.judge.is_undecided, self.measured_trees()))
