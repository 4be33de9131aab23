"""Made-up worlds: what every training would measure is known beforehand, so that whole studies run in milliseconds."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.tree import BranchTree

BASELINE = 0.8
CLIPS = 50
CLASSES = 5
LENGTHS = (5, 10, 20, 40, 80)
"""What a study with `training.epochs: auto` may try."""


def make_spec(tasks: int | Sequence[str], **more: Any) -> StudySpec:
    """A study of tasks a, b, c, ... at Q = 0.02; it says how long to train, unless the test leaves that open."""
    names = "abcdefghijklmnopqrstuvwxyz"[:tasks] if isinstance(tasks, int) else tasks
    columns = [{"name": name, "dataset": "speech", "target": name} for name in names]
    return StudySpec.parse({"ar_threshold": 0.02, "tasks": columns, "training": {"epochs": 30}, **more})


def outcomes(accuracy: float, clips: int = CLIPS, shift: int = 0) -> Outcomes:
    """What a model of such an accuracy said; ``shift`` moves its errors to other clips."""
    right = np.roll(np.arange(clips) < round(accuracy * clips), shift)
    truth = np.arange(clips, dtype=np.int32) % CLASSES
    predicted = np.where(right, truth, (truth + 1) % CLASSES).astype(np.int32)
    return Outcomes.of_classes(np.arange(clips, dtype=np.int32), truth, predicted, np.ones(clips, np.int32))


def measurement(metrics: Mapping[str, float], clips: int = CLIPS, steps_left: int = 0) -> Measurement:
    said = {task: outcomes(value, clips, shift) for shift, (task, value) in enumerate(metrics.items())}
    return Measurement(dict(metrics), said, 100 - steps_left, 80, 1.0, "nowhere:1", steps_left=steps_left)


@dataclass(frozen=True)
class World:
    """Reductions of every training: those of pairs as given, those of larger trees drawn from ``seed``.

    Where a cell is not given its AR is ``elsewhere``. Probes end early where they keep ``threshold``. Affinities are
    drawn, and those of a whole training are not those of its probe.
    """

    cells: Mapping[tuple[str, str, int], float] = field(default_factory=dict)
    elsewhere: float = 0.5
    seed: int = 0
    worst_tree: float = 0.04
    spread: float = 0.0
    """By how much a repeat's metrics may be off."""
    threshold: float = 0.02
    clips: int = CLIPS
    enough: int = 0
    """Epochs from which on longer trainings gain nothing; half of them cost a tenth of every metric."""
    steady: int = 0
    """Epochs from which on seeds agree; before that every second seed of the first task is unlucky."""

    def measure(self, training: Training) -> Measurement:
        chance = random.Random(f"{self.seed} {replace(training, is_probe=False).key}")
        reductions = self._reductions(training.tree, chance)
        off = (chance.uniform(-self.spread, self.spread) for _ in reductions)
        metrics = {
            task: self._level(training, task) * BASELINE * (1 - lost) + by
            for (task, lost), by in zip(reductions.items(), off, strict=True)
        }
        is_accepted = training.is_probe and max(reductions.values()) <= self.threshold
        measured = measurement(metrics, self.clips, steps_left=60 if is_accepted else 0)
        drawn = random.Random(f"{self.seed} {training.key}")
        pairs = combinations(training.tasks, 2) if len(training.tasks) > 2 else ()
        return replace(measured, affinities={pair: drawn.uniform(-1, 1) for pair in pairs})

    def _level(self, training: Training, task: str) -> float:
        """What a training of this length comes to, as a share of one that is long enough."""
        if training.epochs is None:
            return 1.0
        halvings = max(0.0, math.log2(self.enough / training.epochs)) if self.enough else 0.0
        is_unlucky = training.epochs < self.steady and task == "a" and training.repeat % 2
        return float(0.9**halvings * (0.86 if is_unlucky else 1.0))

    def _reductions(self, tree: BranchTree, chance: random.Random) -> dict[str, float]:
        tasks = tree.tasks
        if len(tasks) == 1:
            return {tasks[0]: 0.0}
        if len(tasks) == 2:
            lost = self.cells.get((*tasks, tree.root.blocks[1]), self.elsewhere)
            return {tasks[0]: lost, tasks[1]: -0.1}
        return {task: chance.uniform(-0.01, self.worst_tree) for task in tasks}


@dataclass
class Run:
    """A study driven to its end."""

    trials: list[Trial]
    settled: Settled
    stages: list[Stage]
    """The stage of every decision on the way."""

    @property
    def trainings(self) -> list[Training]:
        return [trial.training for trial in self.trials]


def finished(training: Training, measured: Measurement, number: int = 0) -> Trial:
    return Trial(number, training, training.repeat, TrialState.COMPLETE, measured)


def simulate(
    spec: StudySpec,
    world: World,
    workers: int = 1,
    order: random.Random | None = None,
    known: Sequence[Trial] = (),
    seconds: Callable[[int], float] = lambda count: 0.0,
) -> Run:
    """Drive a study to its end with workers that finish in random order; fails where an asked training never helps."""
    order = order or random.Random(0)
    evidence, trials, stages = Evidence(spec, known, LENGTHS), list(known), []
    under_way: list[Training] = []
    while True:
        decision = decide(spec, evidence, Spent(frozenset(under_way), seconds(len(trials))))
        if isinstance(decision, Ask):
            stages.append(decision.stage)
            asked = [*decision.trunks, *decision.trainings]
            assert set(under_way) <= set(asked)
            assert len(set(asked)) == len(asked) <= decision.at_least
            new = next((one for one in decision.startable(spec) if one not in under_way), None)
            if new and len(under_way) < workers:
                assert new not in [trial.training for trial in trials], "asked for again"
                under_way.append(new)
                continue
        if not under_way:
            assert isinstance(decision, Settled), "nothing to do, and not settled"
            return Run(trials, decision, stages)
        done = under_way.pop(order.randrange(len(under_way)))
        trials.append(finished(done, world.measure(done), len(trials)))
        evidence.add(trials[-1])
