"""Simulated worlds: how many blocks each pair of tasks may share, what a training then measures, and studies of it.

Tasks are planted in families, of which the search knows nothing; or the compatibility of every pair is drawn, so that
hardly any group fits. Nothing here draws pictures, so that tests can use it without the packages that do.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.strategy import Settled, Spent, decide
from taskgraft.search.strategies.tree_effort import Effort
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.cost import tree_cost
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree

DEPTHS = (4, 5, 6, 7, 8)
THRESHOLD = 0.02
BASELINE = 0.9
TEMPLATE = get_template("cnn8")
EFFORT = Effort(TEMPLATE)
"""What trainings take, in units of one baseline."""


def outcomes(accuracy: float, clips: int = 100, classes: int = 10) -> Outcomes:
    """Return made-up answers of such an accuracy, for measurements of which only the metrics count."""
    truth = np.arange(clips, dtype=np.int32) % classes
    right = np.arange(clips) < round(accuracy * clips)
    predicted = np.where(right, truth, (truth + 1) % classes).astype(np.int32)
    return Outcomes.of_classes(np.arange(clips, dtype=np.int32), truth, predicted, np.ones(clips, np.int32))


SAID = outcomes(BASELINE)
"""What every model said: decisions on the point estimate look at metrics only."""
_NOISE = 1.5
"""Makes Kendall's tau between affinity and depth about 0.4 to 0.7, by world and number of tasks."""
_BLOCKS = 16
"""Scales affinities to what a cosine may be."""


@dataclass(frozen=True, slots=True)
class World:
    """A world without noise: how many blocks each pair of tasks may share."""

    tasks: tuple[str, ...]
    compatible: dict[tuple[str, str], int]
    with_affinities: bool = False
    """Whether a training of all tasks tells affinities: each pair's depth, off by a normal deviate of 1.5 blocks."""

    @classmethod
    def planted(cls, tasks: int, family: int, within: int, across: int) -> "World":
        """Draw families of so many tasks."""
        names = task_names(tasks)
        return cls(names, planted_depths(names, family, within, across, random.Random(tasks)))

    @classmethod
    def drawn(cls, tasks: int) -> "World":
        """Draw every pair's compatibility from 0 and the depths."""
        names = task_names(tasks)
        return cls(names, drawn_depths(names, random.Random(tasks)))

    def measure(self, training: Training) -> Measurement:
        """Measure a tree: a task loses 5 % if it shares more with any other task than the two may, else nothing."""
        tree = training.tree
        broken = {
            task
            for pair in combinations(tree.tasks, 2)
            if tree.shared_depth(*pair) > self.compatible[pair]
            for task in pair
        }
        metrics = {task: BASELINE * (0.95 if task in broken else 1.0) for task in tree.tasks}
        told = self._affinities() if self.with_affinities and tree.tasks == self.tasks else {}
        return Measurement(metrics, dict.fromkeys(tree.tasks, SAID), 1, 1, 1.0, "simulated", affinities=told)

    def _affinities(self) -> dict[tuple[str, str], float]:
        drawn = random.Random(len(self.tasks))
        return {pair: (depth + drawn.gauss(0, _NOISE)) / _BLOCKS for pair, depth in self.compatible.items()}


def task_names(tasks: int) -> tuple[str, ...]:
    """Return the names of so many tasks."""
    return tuple(f"t{place:02d}" for place in range(tasks))


def planted_depths(
    names: Sequence[str], family: int, within: int, across: int, chance: random.Random
) -> dict[tuple[str, str], int]:
    """Draw families of so many tasks; return how many blocks each pair may share."""
    places = chance.sample([place // family for place in range(len(names))], len(names))
    home = dict(zip(names, places, strict=True))
    return {(a, b): within if home[a] == home[b] else across for a, b in combinations(names, 2)}


def drawn_depths(names: Sequence[str], chance: random.Random) -> dict[tuple[str, str], int]:
    """Draw how many blocks each pair may share, from 0 and the depths."""
    return {pair: chance.choice((0, *DEPTHS)) for pair in combinations(names, 2)}


WORLDS = {
    "families of 5 share 8 blocks, all share 5": lambda tasks: World.planted(tasks, 5, 8, 5),
    "families of 5 share 7 blocks, else nothing": lambda tasks: World.planted(tasks, 5, 7, 0),
    "families of 10 share 8 blocks, all share 6": lambda tasks: World.planted(tasks, 10, 8, 6),
    "all share 5 blocks, no two more": lambda tasks: World.planted(tasks, 1, 8, 5),
    "every pair drawn": World.drawn,
}


def simulated_spec(tasks: Sequence[str], strategy: str) -> StudySpec:
    """Return a study of these tasks with a strategy, at all the depths."""
    told = [{"name": name, "dataset": "simulated", "target": name} for name in tasks]
    return StudySpec.parse(
        {
            "ar_threshold": THRESHOLD,
            "tasks": told,
            "depths": DEPTHS,
            "strategy": strategy,
            "training": {"epochs": 1},
        }
    )


def settle(spec: StudySpec, measure: Callable[[Training], Measurement]) -> tuple[list[Training], BranchTree]:
    """Drive a study to its end, one training at a time; return its trainings and the tree that it settles on."""
    evidence, trained = Evidence(spec), list[Training]()
    while not isinstance(decision := decide(spec, evidence, Spent()), Settled):
        training = decision.trainings[0]
        evidence.add(Trial(len(trained), training, 0, TrialState.COMPLETE, measure(training)))
        trained.append(training)
    return trained, decision.tree


def encoder_parameters(tree: BranchTree) -> int:
    """Return the parameters of a tree's blocks."""
    return tree_cost(tree, TEMPLATE).encoder_parameters
