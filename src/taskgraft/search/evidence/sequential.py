"""`repeats: auto`: which trainings to repeat, and what may be said after each repeat.

A model is held against the threshold by a sequential test (`search/statistics/certainty.py`). One more seed is spent on
it, and on the baselines that it is compared with, as long as the answer is open and another repeat has a fair chance to
close it. What stays open counts as not meeting the threshold.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count, takewhile

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.figures import Figures
from taskgraft.search.evidence.judge import TrainingOf, around
from taskgraft.search.evidence.trees import shared_parts
from taskgraft.search.statistics.certainty import (
    Estimate,
    TaskSample,
    VarianceComponent,
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


class SequentialRepeats:
    """Judges by as many repeats as the answer takes, given what is ``known`` at each call. Implements `Judge`."""

    def __init__(
        self,
        spec: StudySpec,
        known: Mapping[Training, Measurement],
        baselines: Mapping[str, BranchTree],
        training_of: TrainingOf = Training,
    ) -> None:
        self._spec = spec
        self._training_of = training_of
        self._metrics = spec.metrics
        self._known = known
        self._baselines = baselines
        self._summaries: dict[tuple[Training, str], Repeats] = {}
        self._noise = (0, SeedNoise.pool(()))
        self._intervals: dict[BranchTree, tuple[float, float]] = {}
        self._intervals_at = 0
        self.figures = Figures(known, baselines, self.repeats, spec.errors)

    def repeats(self, part: BranchTree) -> Iterator[Training]:
        """Yield the finished repeats of a part, the first ones without a gap."""
        return takewhile(self._known.__contains__, (self._training(part, number) for number in count()))

    def _training(self, part: BranchTree, repeat: int = 0) -> Training:
        return self._training_of(part, repeat, False)

    def _count(self, part: BranchTree) -> int:
        return sum(1 for _ in self.repeats(part))

    def wanted(self, part: BranchTree) -> Iterator[Training]:
        """Yield what has to be trained next to say more about a part; nothing if more would not help."""
        known = self._count(part)
        if len(part.tasks) == 1:
            yield from self._missing(part, BASELINE_REPEATS)
        elif not known:
            yield self._training(part)
        elif known < MAX_REPEATS and self._may_settle(part):
            for task in part.tasks:
                yield from self._missing(self._baselines[task], known + 1)
            yield self._training(part, known)

    def _missing(self, part: BranchTree, repeats: int) -> Iterator[Training]:
        """Yield which of the first ``repeats`` are not known; a later one may have ended before an earlier one."""
        wanted = (self._training(part, repeat) for repeat in range(repeats))
        return (training for training in wanted if training not in self._known)

    def _may_settle(self, part: BranchTree) -> bool:
        tasks, threshold = self._estimates(part), self._spec.ar_threshold
        return verdict(tasks, threshold, MAX_REPEATS) is Verdict.OPEN and may_settle(tasks, threshold, MAX_REPEATS)

    def is_measured(self, part: BranchTree) -> bool:
        """Return whether a part has any repeat; more may still be wanted."""
        return any(self.repeats(part))

    def interval(self, tree: BranchTree) -> tuple[float, float]:
        """Return the AR's 95 % interval, noise of seeds included; it changes with everything that is known of them."""
        if self._intervals_at != len(self._known):
            self._intervals.clear()
            self._intervals_at = len(self._known)
        if tree not in self._intervals:
            estimates = [estimated for part in shared_parts(tree) for estimated in self._all_noise(part)]
            self._intervals[tree] = around(self.figures.ar(tree), interval(estimates) if estimates else (0.0, 0.0))
        return self._intervals[tree]

    def meets_threshold(self, tree: BranchTree) -> bool:
        """Return whether the tests say of every shared part that it meets the threshold; an open one does not."""
        return all(self._verdict(part) is Verdict.KEEPS for part in shared_parts(tree))

    def is_undecided(self, part: BranchTree) -> bool:
        """Return whether the test of a part is open."""
        return self._verdict(part) is Verdict.OPEN

    def take_figures(self, other: "SequentialRepeats") -> None:
        """Take the summaries of another judge; what depends on the noise of all repeats is worked out again."""
        self._summaries.update(other._summaries)

    def _verdict(self, part: BranchTree) -> Verdict:
        """Return what is known of ``AR <= Q`` for a part of which at least one repeat is known."""
        return verdict(self._estimates(part), self._spec.ar_threshold, MAX_REPEATS)

    def _estimates(self, part: BranchTree) -> list[Estimate]:
        """Return what decides: a point decision is about these clips themselves, so that only seeds are noise to it."""
        estimates = self._all_noise(part)
        if self._spec.decision is Decision.CONFIDENT:
            return estimates
        return [
            replace(estimated, clips=VarianceComponent(0.0, estimated.clips.degrees_of_freedom))
            for estimated in estimates
        ]

    def _all_noise(self, part: BranchTree) -> list[Estimate]:
        noise = self._seed_noise()
        return [
            estimate(TaskSample(self._summary(self._baselines[task], task), self._summary(part, task)), noise)
            for task in part.tasks
        ]

    def _summary(self, part: BranchTree, task: str) -> Repeats:
        key = (self._training(part, self._count(part)), task)  # the next repeat stands for those before it
        if key not in self._summaries:
            said = [self._known[training].outcomes[task] for training in self.repeats(part)]
            self._summaries[key] = Repeats.of(self._metrics[task], said)
        return self._summaries[key]

    def _seed_noise(self) -> SeedNoise:
        """Return the noise of everything that is known; it is pooled again whenever that has grown."""
        if self._noise[0] != len(self._known):
            parts = {training.tree for training in self._known if self._training(training.tree) in self._known}
            groups = [
                self._summary(part, task)
                for part in sorted(parts, key=_name)
                for task in part.tasks
                if self._known[self._training(part)].outcomes[task].clip_count
                > 1  # one clip tells nothing of noise; such a task is taken to be at chance
            ]
            self._noise = (len(self._known), SeedNoise.pool(groups))
        return self._noise[1]


def _name(part: BranchTree) -> str:
    return Training(part).key
