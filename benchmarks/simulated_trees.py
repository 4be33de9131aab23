"""Strategies in noisy simulated studies: what they cost, how large their trees are, how often those keep the threshold.

`python -m benchmarks.simulated_trees` prints the table of docs/tree_search.md, and with `--svg` draws it. Tasks are
planted in families, or the compatibility of every pair is drawn. Harm is one-sided in three of four pairs that do not
fit, and one depth of ten that should harm does not. Every task of a tree has a true effect of its own beside harm; what
is measured has noise of seeds, of the baseline and of the clips. A tree truly keeps the threshold if no task loses more
than that in expectation. Costs are in units of one baseline, baselines included.
"""

import argparse
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.worlds import (
    BASELINE,
    DEPTHS,
    EFFORT,
    SAID,
    TEMPLATE,
    THRESHOLD,
    drawn_depths,
    encoder_parameters,
    planted_depths,
    settle,
    simulated_spec,
    task_names,
)
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.trees import components
from taskgraft.search.strategies.tree_moves import shared_blocks
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Cell, Pair, ReductionMatrix
from taskgraft.space.synthesis import synthesize
from taskgraft.space.tree import BranchTree

_SIZES = (5, 8, 12, 20, 40)
_MOST_TASKS = {"bisection": 8, "groups": 20}
"""Larger sets take a strategy too long to be simulated here."""
_SEED, _CLIPS, _EFFECT, _AFFINITY = 0.0065, 0.004, 0.008, 1.5


@dataclass(frozen=True, slots=True)
class Family:
    """A planted family: how many tasks it has, and how many blocks they may share within it and across."""

    tasks: int
    within: int
    across: int


FAMILIES: Mapping[str, Family | None] = {
    "families of 5 share 8 blocks, all share 5": Family(5, 8, 5),
    "families of 5 share 7 blocks, else nothing": Family(5, 7, 0),
    "families of 10 share 8 blocks, all share 6": Family(10, 8, 6),
    "every pair drawn": None,
}


class World:
    """One noisy world: what each task truly loses in every tree, and what a training measures of it."""

    def __init__(self, tasks: int, name: str, seed: int) -> None:
        self._name = f"{tasks} {name} {seed}"
        chance = random.Random(self._name)
        self.tasks = task_names(tasks)
        self._places = {task: place for place, task in enumerate(self.tasks)}
        self.compatible = self._compatibilities(FAMILIES[name], chance)
        self._limit = np.full((tasks, tasks), 8.0)
        self._spared = np.full((tasks, tasks), -1.0)
        self._harm = np.zeros((tasks, tasks))
        for pair, depth in self.compatible.items():
            self._harm_pair(pair, depth, chance)
        self._baselines = [chance.gauss(0, _SEED) for _ in self.tasks]
        self.affinities = {pair: (depth + chance.gauss(0, _AFFINITY)) / 16 for pair, depth in self.compatible.items()}

    def _compatibilities(self, family: Family | None, chance: random.Random) -> dict[Pair, int]:
        if family is None:
            return drawn_depths(self.tasks, chance)
        return planted_depths(self.tasks, family.tasks, family.within, family.across, chance)

    def _harm_pair(self, pair: Pair, depth: int, chance: random.Random) -> None:
        """Draw what two tasks do to each other where they share more than they may."""
        first, second = map(self._places.__getitem__, pair)
        both, spared = chance.random() < 0.25, chance.random() < 0.5
        for victim, other, is_hurt in ((first, second, both or spared), (second, first, both or not spared)):
            if is_hurt and depth < 8:
                self._limit[victim, other], self._harm[victim, other] = depth, chance.uniform(0.03, 0.07)
                if chance.random() < 0.1:
                    self._spared[victim, other] = chance.choice([deeper for deeper in DEPTHS if deeper > depth])

    def truth(self, tree: BranchTree) -> dict[str, float]:
        """Return what each task of a part loses in expectation: the worst harm, and an effect of what it shares."""
        if len(tree.tasks) == 1:
            return dict.fromkeys(tree.tasks, 0.0)
        shared = shared_blocks(tree.root, self._places)
        harm = np.where((shared > self._limit) & (shared != self._spared), self._harm, 0.0).max(axis=1)
        lost: dict[str, float] = {}
        for task in tree.tasks:
            place = self._places[task]
            effect = random.Random(f"{self._name} {task} {shared[place].tolist()}").gauss(0, _EFFECT)
            lost[task] = float(harm[place]) + effect
        return lost

    def measure(self, training: Training) -> Measurement:
        """Return what a training measures; affinities are those of the pairs, off by a normal deviate."""
        metrics = {task: self._metric(training, task, lost) for task, lost in self.truth(training.tree).items()}
        told = self.affinities if training.tasks == self.tasks else {}
        return Measurement(metrics, dict.fromkeys(training.tasks, SAID), 1, 1, 1.0, "simulated", affinities=told)

    def _metric(self, training: Training, task: str, lost: float) -> float:
        baseline = BASELINE * (1 + self._baselines[self._places[task]])
        if len(training.tasks) == 1:
            return baseline
        chance = random.Random(f"{self._name} {training.key} {task}")
        return BASELINE * (1 - lost + chance.gauss(0, _SEED) + chance.gauss(0, _CLIPS))

    def keeps(self, tree: BranchTree) -> bool:
        """Return whether a delivered tree truly keeps the threshold."""
        return all(max(self.truth(part).values()) <= THRESHOLD for part in components(tree))

    def reference(self) -> BranchTree:
        """Return the tree that follows from the true compatibilities of the pairs."""
        cells = {
            pair: {tried: Cell(0.0 if tried <= depth else 0.05) for tried in DEPTHS}
            for pair, depth in self.compatible.items()
        }
        return synthesize(ReductionMatrix(self.tasks, cells), THRESHOLD, TEMPLATE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one study; ``size`` is that of its tree's blocks, relative to the reference."""

    trainings: float
    units: float
    size: float
    keeps: float


def study(world: World, strategy: str) -> Outcome:
    """Drive a study through a world."""
    trained, tree = settle(simulated_spec(world.tasks, strategy), world.measure)
    units = sum(EFFORT.units(training.tree.root) for training in trained)
    size = encoder_parameters(tree) / encoder_parameters(world.reference())
    return Outcome(len(trained), units, size, world.keeps(tree))


def mean(found: Sequence[Outcome]) -> Outcome:
    """Return the mean of each figure."""
    return Outcome(
        statistics.fmean(one.trainings for one in found),
        statistics.fmean(one.units for one in found),
        statistics.fmean(one.size for one in found),
        statistics.fmean(one.keeps for one in found),
    )


def draw(path: Path, found: Mapping[str, Mapping[int, Outcome]]) -> None:
    """Draw units, size and the share that keeps the threshold, by number of tasks."""
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    panels = figure.subplots(1, 3)
    figures = {
        "units of one baseline": lambda one: one.units,
        "blocks, relative to the reference": lambda one: one.size,
        "delivered trees that truly keep Q, %": lambda one: 100 * one.keeps,
    }
    for axes, (title, figure_of) in zip(panels, figures.items(), strict=True):
        for strategy, by_size in found.items():
            axes.plot(list(by_size), [figure_of(one) for one in by_size.values()], marker="o", label=strategy)
        axes.set(xlabel="tasks", title=title)
        axes.set_xscale("log")
        axes.set_xticks(_SIZES, [str(tasks) for tasks in _SIZES])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].set_yscale("log")
    panels[2].set_ylim(0, 102)
    panels[2].axhline(90, color="k", linestyle="--", linewidth=0.8)
    panels[0].legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated_trees", description=__doc__)
    parser.add_argument("--seeds", type=int, default=25, help="worlds of each kind and size (default %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=_SIZES, help="numbers of tasks")
    parser.add_argument("--strategies", nargs="+", default=["bisection", "groups", "trees"])
    parser.add_argument("--svg", type=Path, help="draw the table into this file")
    options = parser.parse_args()
    found: dict[str, dict[int, Outcome]] = {strategy: {} for strategy in options.strategies}
    print("| strategy | tasks | studies | trainings | units | size | truly keep Q |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for strategy in options.strategies:
        for tasks in options.sizes:
            if tasks > _MOST_TASKS.get(strategy, tasks):
                continue
            seeds = max(1, options.seeds * min(20, tasks) // tasks)
            all_of = [study(World(tasks, name, seed), strategy) for name in FAMILIES for seed in range(seeds)]
            one = found[strategy][tasks] = mean(all_of)
            print(
                f"| `{strategy}` | {tasks} | {len(all_of)} | {one.trainings:.1f} | {one.units:.1f} | {one.size:.2f} "
                f"| {one.keeps:.0%} |",
                flush=True,
            )
    if options.svg:
        draw(options.svg, found)


if __name__ == "__main__":
    main()
