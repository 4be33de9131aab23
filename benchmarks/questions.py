"""How many trainings a study takes, by strategy and number of tasks, in simulated studies without noise.

`python -m benchmarks.questions` prints the table of docs/search.md, and with `--svg` draws it. Tasks are planted in
families, of which the search knows nothing; or the compatibility of every pair is drawn, so that hardly any group fits.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.strategy import Settled, Spent, decide
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.cost import tree_cost
from taskgraft.space.template import get_template
from taskgraft.space.tree import BranchTree

_DEPTHS = (4, 5, 6, 7, 8)
_SIZES = (4, 8, 12, 20, 32, 64)


@dataclass(frozen=True, slots=True)
class World:
    """How many blocks each pair of tasks may share."""

    tasks: tuple[str, ...]
    compatible: dict[tuple[str, str], int]
    with_affinities: bool = False
    """Whether a training of all tasks tells affinities: each pair's depth, off by a normal deviate of 1.5 blocks."""

    @classmethod
    def planted(cls, tasks: int, family: int, within: int, across: int) -> "World":
        """Draw families of so many tasks."""
        names = _names(tasks)
        places = random.Random(tasks).sample([place // family for place in range(tasks)], tasks)
        home = dict(zip(names, places, strict=True))
        return cls(names, {(a, b): within if home[a] == home[b] else across for a, b in combinations(names, 2)})

    @classmethod
    def drawn(cls, tasks: int) -> "World":
        """Draw every pair's compatibility from 0 and the depths."""
        chance, names = random.Random(tasks), _names(tasks)
        return cls(names, {pair: chance.choice((0, *_DEPTHS)) for pair in combinations(names, 2)})

    def measure(self, training: Training) -> Measurement:
        """Measure a tree: a task loses 5 % if it shares more with any other task than the two may, else nothing."""
        tree = training.tree
        broken = {
            task
            for pair in combinations(tree.tasks, 2)
            if tree.shared_depth(*pair) > self.compatible[pair]
            for task in pair
        }
        metrics = {task: _BASELINE * (0.95 if task in broken else 1.0) for task in tree.tasks}
        told = self._affinities() if self.with_affinities and tree.tasks == self.tasks else {}
        return Measurement(metrics, dict.fromkeys(tree.tasks, _SAID), 1, 1, 1.0, "simulated", affinities=told)

    def _affinities(self) -> dict[tuple[str, str], float]:
        drawn = random.Random(len(self.tasks))
        return {pair: (depth + drawn.gauss(0, _NOISE)) / _BLOCKS for pair, depth in self.compatible.items()}


def _names(tasks: int) -> tuple[str, ...]:
    return tuple(f"t{place:02d}" for place in range(tasks))


def outcomes(accuracy: float, clips: int = 100, classes: int = 10) -> Outcomes:
    """Return made-up answers of such an accuracy, for measurements of which only the metrics count."""
    truth = np.arange(clips, dtype=np.int32) % classes
    right = np.arange(clips) < round(accuracy * clips)
    predicted = np.where(right, truth, (truth + 1) % classes).astype(np.int32)
    return Outcomes(np.arange(clips, dtype=np.int32), truth, predicted, np.ones(clips, np.int32))


_NOISE = 1.5
"""Makes Kendall's tau between affinity and depth about 0.4 to 0.7, by world and number of tasks."""
_BLOCKS = 16
"""Scales affinities to what a cosine may be."""
_BASELINE = 0.9
_SAID = outcomes(_BASELINE)
"""What every model said: decisions on the point estimate look at metrics only."""

WORLDS = {
    "families of 5 share 8 blocks, all share 5": lambda tasks: World.planted(tasks, 5, 8, 5),
    "families of 5 share 7 blocks, else nothing": lambda tasks: World.planted(tasks, 5, 7, 0),
    "families of 10 share 8 blocks, all share 6": lambda tasks: World.planted(tasks, 10, 8, 6),
    "all share 5 blocks, no two more": lambda tasks: World.planted(tasks, 1, 8, 5),
    "every pair drawn": World.drawn,
}


def study(world: World, strategy: str) -> tuple[int, BranchTree]:
    """Return how many trainings a study takes, and the tree that it settles on."""
    tasks = [{"name": name, "dataset": "simulated", "target": name} for name in world.tasks]
    told = {"depths": _DEPTHS, "strategy": strategy, "training": {"epochs": 1}}
    spec = StudySpec.parse({"ar_threshold": 0.02, "tasks": tasks, **told})
    evidence, count = Evidence(spec), 0
    while not isinstance(decision := decide(spec, evidence, Spent()), Settled):
        training = decision.trainings[0]
        evidence.add(Trial(count, training, 0, TrialState.COMPLETE, world.measure(training)))
        count += 1
    return count, decision.tree


def sweep(tasks: int) -> int:
    """Return the number of trainings of the published sweep: baselines, and every pair at every depth."""
    return tasks + tasks * (tasks - 1) // 2 * len(_DEPTHS)


def encoder(tree: BranchTree) -> int:
    """Return the parameters of a tree's blocks."""
    return tree_cost(tree, get_template("cnn8")).encoder_parameters


def draw(path: Path, sizes: Sequence[int], counts: dict[str, list[int]]) -> None:
    """Draw trainings by number of tasks, both logarithmic."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    axes.loglog(sizes, [sweep(tasks) for tasks in sizes], "k--", label="published sweep")
    for name, trainings in counts.items():
        axes.loglog(sizes, trainings, marker="o", label=name)
    axes.set(xlabel="tasks", ylabel="trainings", title="Trainings of a study, strategy groups (simulated, no noise)")
    axes.set_xticks(sizes, [str(tasks) for tasks in sizes], minor=False)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.questions", description=__doc__)
    parser.add_argument("--svg", type=Path, help="draw the growth into this file")
    parser.add_argument("--adaptive-up-to", type=int, default=20, help="largest set for strategy adaptive (default 20)")
    parser.add_argument("--up-to", type=int, default=_SIZES[-1], help="largest set (default %(default)s)")
    options = parser.parse_args()
    sizes = [tasks for tasks in _SIZES if tasks <= options.up_to]
    counts: dict[str, list[int]] = {name: [] for name in WORLDS}
    print("| world | tasks | sweep | adaptive | groups, unordered | groups | of the sweep | size, groups / adaptive |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, make in WORLDS.items():
        for tasks in sizes:
            world = make(tasks)
            count, _ = study(world, "groups")
            ordered, tree = study(replace(world, with_affinities=True), "groups")
            counts[name].append(ordered)
            asked, ratio = "", ""
            if tasks <= options.adaptive_up_to:
                pairs, other = study(world, "adaptive")
                asked, ratio = str(pairs), f"{encoder(tree) / encoder(other):.2f}"
            share = f"{ordered / sweep(tasks):.1%}"
            print(
                f"| {name} | {tasks} | {sweep(tasks)} | {asked} | {count} | {ordered} | {share} | {ratio} |", flush=True
            )
    if options.svg:
        draw(options.svg, sizes, counts)


if __name__ == "__main__":
    main()
