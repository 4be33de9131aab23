"""`repeats: N`: every model is trained as often, and the mean over its repeats, or its interval, decides."""

from collections.abc import Iterator, Mapping
from itertools import chain

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import TaskComparison, reduction_interval
from taskgraft.search.evidence.figures import Figures
from taskgraft.search.evidence.judge import TrainingOf, around
from taskgraft.search.evidence.trees import shared_parts
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Decision
from taskgraft.space.tree import BranchTree


class FixedRepeats:
    """Judges by a number of repeats that is the same for all trees. Implements `Judge`."""

    def __init__(
        self,
        spec: StudySpec,
        known: Mapping[Training, Measurement],
        baselines: Mapping[str, BranchTree],
        training_of: TrainingOf = Training,
    ) -> None:
        self._spec = spec
        self._training_of = training_of
        self._count = int(spec.repeats)
        self._asks_probes = spec.stops_early and spec.decision is Decision.POINT
        self._tasks = {task.name: task for task in spec.tasks}
        self._known = known
        self._intervals: dict[tuple[Training, ...], tuple[float, float]] = {}
        self.figures = Figures(known, baselines, self.repeats, spec.errors)

    def repeats(self, part: BranchTree) -> Iterator[Training]:
        """Yield the finished repeats of a part; if both a whole training and a probe ended, the whole one."""
        for repeat in range(self._count):
            whole = self._training_of(part, repeat, False)
            if whole in self._known:
                yield whole
            elif (probe := self._training_of(part, repeat, True)) in self._known:
                yield probe

    def wanted(self, part: BranchTree) -> Iterator[Training]:
        """Yield the repeats that have not ended; a probe answers, if a training may stop as soon as it decides."""
        answered = {training.repeat for training in self.repeats(part)}
        is_probe = self._asks_probes and len(part.tasks) > 1
        open_repeats = (repeat for repeat in range(self._count) if repeat not in answered)
        yield from (self._training_of(part, repeat, is_probe) for repeat in open_repeats)

    def is_measured(self, part: BranchTree) -> bool:
        """Return whether every repeat of a part has ended."""
        return not any(self.wanted(part))

    def interval(self, tree: BranchTree) -> tuple[float, float]:
        """Return the AR's 95 % interval by the paired bootstrap over clips and repeats."""
        figures = self.figures
        baselines = (figures.trainings(figures.baselines[task]) for task in tree.tasks)
        # Under the trainings and not under the tree: a whole training takes the place of its probe.
        compared_trainings = (*figures.trainings(tree), *chain.from_iterable(baselines))
        if compared_trainings not in self._intervals:
            compared = [self._comparison(task, part) for part in shared_parts(tree) for task in part.tasks]
            self._intervals[compared_trainings] = around(figures.ar(tree), reduction_interval(compared))
        return self._intervals[compared_trainings]

    def _comparison(self, task: str, part: BranchTree) -> TaskComparison:
        spec, figures = self._tasks[task], self.figures
        alone = figures.outcomes(task, figures.baselines[task])
        return TaskComparison(spec.dataset, spec.metric, alone, figures.outcomes(task, part))

    def meets_threshold(self, tree: BranchTree) -> bool:
        """Return whether the AR, or its interval's upper end, is at most the threshold."""
        is_point = self._spec.decision is Decision.POINT
        decides = self.figures.ar(tree) if is_point else self.interval(tree)[1]
        return decides <= self._spec.ar_threshold

    def is_undecided(self, part: BranchTree) -> bool:
        """Return False: once all repeats have ended, the answer is known."""
        return False

    def take_figures(self, other: "FixedRepeats") -> None:
        """Take the intervals of another judge: more trainings do not change them."""
        self._intervals.update(other._intervals)
