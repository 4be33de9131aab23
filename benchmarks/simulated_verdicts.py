"""Delivered models whose true AR is known, to count how often `taskgraft.search.evidence.verdict` is right.

Baseline and model of a task are fixed, as those of a study are; the clips are drawn. So each clip is one of four kinds:
right in both, in the baseline alone, in the model alone, in none. Groups of clips are alike: the shares of the four
kinds differ from group to group (Dirichlet), with a given correlation between clips of one group.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.paired import PairedAnswers, PairedBootstrap
from taskgraft.search.evidence.verdict import ERROR, judge
from taskgraft.search.study.result import FinalVerdict, TaskResult

RESAMPLES = 2000

Kinds = NDArray[np.int64]
"""Of every clip: 0 right in both, 1 in the baseline alone, 2 in the model alone, 3 in none."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The truth about a delivered model: its worst task loses ``ar``, the others gain as much."""

    clips: int
    baseline: float = 0.98
    """Accuracy of every task's baseline."""
    disagreement: float = 0.022
    """Share of the clips that one of the two gets right alone, as far as ``ar`` leaves it."""
    ar: float = 0.0
    tasks: int = 4
    group_size: int = 1
    correlation: float = 0.05
    """Between clips of one group."""

    def shares(self, reduction: float) -> NDArray[np.float64]:
        """Return the shares of the four kinds of clips."""
        lost = self.baseline * reduction
        apart = max(self.disagreement, abs(lost))
        alone, gained = (apart + lost) / 2, (apart - lost) / 2
        shares = np.array([self.baseline - alone, alone, gained, 1 - self.baseline - gained]).clip(0.0)
        normalised: NDArray[np.float64] = shares / shares.sum()
        return normalised

    def draw(self, reduction: float, random: np.random.Generator) -> Kinds:
        """Draw the kind of every test clip [n] of one task."""
        shares = self.shares(reduction)
        if self.group_size == 1:
            return random.choice(4, self.clips, p=shares).astype(np.int64)
        groups = -(-self.clips // self.group_size)
        spread = shares * (1 / self.correlation - 1)
        by_group = random.dirichlet(np.maximum(spread, 1e-9), groups).cumsum(axis=1)  # [groups, 4]
        kinds: Kinds = (random.random((self.clips, 1)) > by_group[self.groups()]).sum(axis=1).clip(0, 3)
        return kinds

    def groups(self) -> Kinds:
        """Return the group of every clip [n]."""
        return np.arange(self.clips) // self.group_size

    def comparison(self, kinds: Kinds) -> PairedAnswers:
        """Return what baseline and model say about these clips."""
        groups = self.groups() if self.group_size > 1 else None
        baseline, model = (_answers(np.isin(kinds, right)) for right in ((0, 1), (0, 2)))
        return PairedAnswers("simulated", "accuracy", [baseline], [model], groups)

    def verdict(self, threshold: float, random: np.random.Generator) -> FinalVerdict:
        """Draw a test split, and judge the model by it as a study does."""
        reductions = [self.ar, *[-self.ar] * (self.tasks - 1)]
        compared = [self.comparison(self.draw(reduction, random)) for reduction in reductions]
        bootstrap = PairedBootstrap(compared, int(random.integers(2**31)), RESAMPLES)
        bounds = bootstrap.bounds(ERROR, ERROR / self.tasks)
        results = [
            TaskResult("task", "accuracy", 1.0, 1.0, self.clips, None, False, one.reduction, one.lower, one.upper)
            for one in bounds
        ]
        return judge(results, threshold)


def _answers(right: NDArray[np.bool_]) -> Outcomes:
    clips = np.arange(len(right), dtype=np.int32)
    return Outcomes.of_classes(clips, np.zeros_like(clips), (~right).astype(np.int32), np.ones_like(clips))


def verdicts(truth: Delivered, threshold: float, studies: int, seed: int = 0) -> Counter[FinalVerdict]:
    """Count the verdicts of simulated studies."""
    random = np.random.default_rng(seed)
    return Counter(truth.verdict(threshold, random) for _ in range(studies))
