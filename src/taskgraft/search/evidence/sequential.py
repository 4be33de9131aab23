"""`repeats: auto`: which trainings to repeat, and what may be said after each repeat.

A model is held against the threshold by a sequential test (`search/statistics/certainty.py`). One more seed is spent on
it, and on the baselines that it is compared with, as long as the answer is open and another repeat has a fair chance to
close it. What stays open counts as not keeping the threshold.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.statistics.certainty import (
    Estimate,
    Source,
    TaskSample,
    Verdict,
    estimate,
    interval,
    may_settle,
    verdict,
)
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise
from taskgraft.search.study.spec import BASELINE_REPEATS, MAX_REPEATS, StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Decision
from taskgraft.space.tree import BranchTree


class SequentialTests:
    """The tests of one study, over what is ``known`` at the time of each call.

    A part is a tree whose tasks share blocks, or a single task.
    """

    def __init__(
        self,
        spec: StudySpec,
        known: Mapping[Training, Measurement],
        baselines: Mapping[str, BranchTree],
        training_of: Callable[[BranchTree, int], Training] = Training,
    ) -> None:
        self._spec = spec
        self._metrics = {task.name: task.metric for task in spec.tasks}
        self._known = known
        self._baselines = baselines
        self._training_of = training_of
        self._summaries: dict[tuple[Training, str], Repeats] = {}
        self._noise = (0, SeedNoise.pool(()))

    def repeats(self, part: BranchTree) -> int:
        """How many repeats of a part are known, the first ones without a gap."""
        return next(number for number in count() if self._training_of(part, number) not in self._known)

    def wanted(self, part: BranchTree) -> Iterator[Training]:
        """What has to be trained next to say more about a part; nothing where more would not help."""
        known = self.repeats(part)
        if len(part.tasks) == 1:
            yield from self._missing(part, BASELINE_REPEATS)
        elif not known:
            yield self._training_of(part, 0)
        elif known < MAX_REPEATS and self._may_settle(part):
            for task in part.tasks:
                yield from self._missing(self._baselines[task], known + 1)
            yield self._training_of(part, known)

    def _missing(self, part: BranchTree, repeats: int) -> Iterator[Training]:
        """Yield which of the first ``repeats`` are not known; a later one may have ended before an earlier one."""
        wanted = (self._training_of(part, repeat) for repeat in range(repeats))
        return (training for training in wanted if training not in self._known)

    def _may_settle(self, part: BranchTree) -> bool:
        tasks, threshold = self._estimates(part), self._spec.ar_threshold
        return verdict(tasks, threshold, MAX_REPEATS) is Verdict.OPEN and may_settle(tasks, threshold, MAX_REPEATS)

    def verdict(self, part: BranchTree) -> Verdict:
        """What is known of ``AR <= Q`` for a part of which at least one repeat is known."""
        return verdict(self._estimates(part), self._spec.ar_threshold, MAX_REPEATS)

    def interval(self, parts: list[BranchTree]) -> tuple[float, float]:
        """95 % interval of the AR of a tree with these parts."""
        estimates = [one for part in parts for one in self._all_noise(part)]
        return interval(estimates) if estimates else (0.0, 0.0)

    def _estimates(self, part: BranchTree) -> list[Estimate]:
        """What a decision goes by: a point decision is about these very clips, so only seeds are noise to it."""
        estimates = self._all_noise(part)
        if self._spec.decision is Decision.CONFIDENT:
            return estimates
        return [replace(one, clips=Source(0.0, one.clips.freedom)) for one in estimates]

    def _all_noise(self, part: BranchTree) -> list[Estimate]:
        noise = self._seed_noise()
        return [
            estimate(TaskSample(self._summary(self._baselines[task], task), self._summary(part, task)), noise)
            for task in part.tasks
        ]

    def _summary(self, part: BranchTree, task: str) -> Repeats:
        repeats = self.repeats(part)
        key = (self._training_of(part, repeats), task)  # the next one stands for those before it
        if key not in self._summaries:
            known = [self._known[self._training_of(part, repeat)] for repeat in range(repeats)]
            self._summaries[key] = Repeats.of(self._metrics[task], [measured.outcomes[task] for measured in known])
        return self._summaries[key]

    def _seed_noise(self) -> SeedNoise:
        """The noise of everything that is known; it is pooled again whenever that has grown."""
        if self._noise[0] != len(self._known):
            parts = {training.tree for training in self._known if self._training_of(training.tree, 0) in self._known}
            groups = [
                self._summary(part, task)
                for part in sorted(parts, key=_name)
                for task in part.tasks
                if self._known[self._training_of(part, 0)].outcomes[task].clip_count
                > 1  # one clip tells nothing of noise; such a task is taken to be at chance
            ]
            self._noise = (len(self._known), SeedNoise.pool(groups))
        return self._noise[1]


def _name(part: BranchTree) -> str:
    return Training(part).key
