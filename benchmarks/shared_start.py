"""``python -m benchmarks.shared_start FOLDER``: should all models of a study start from one trunk?

Takes a reference study (`make bench`). For each of its seeds it trains one model that shares every block among all
tasks for a quarter of the steps, the trunk, and then every baseline and every pair again for the other three quarters:
blocks and heads start as the trunk ended. Prints, beside the trainings from scratch, what models lose against
baselines from scratch and against those of their own start, by how much seeds differ, and how often one seed is right
about the threshold.
"""

import argparse
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.reference import Reference, opened
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import accuracy_reduction, reductions
from taskgraft.evaluators.training import Trainer
from taskgraft.evaluators.trunk import Trunk
from taskgraft.search.study.training_spec import Start, TrainingSpec
from taskgraft.space.tree import BranchTree

Metrics = Mapping[str, float]
"""Of each task of a model, on validation."""


@dataclass(frozen=True)
class Trainings:
    """The baselines and pairs of all seeds, trained in one way."""

    metrics: Mapping[tuple[BranchTree, int], Metrics]

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Return the seeds."""
        return tuple(sorted({seed for _, seed in self.metrics}))

    @cached_property
    def pairs(self) -> tuple[BranchTree, ...]:
        """Return the trees of two tasks."""
        return tuple(dict.fromkeys(tree for tree, _ in self.metrics if len(tree.tasks) > 1))

    def mean(self, tree: BranchTree, seeds: Iterable[int]) -> Metrics:
        """Return each task's metric, mean over seeds."""
        order = list(seeds)
        return {task: float(np.mean([self.metrics[tree, seed][task] for seed in order])) for task in tree.tasks}

    def references(self, tasks: Iterable[str], seeds: Iterable[int]) -> Metrics:
        """Return the metric of each task's baseline, mean over seeds."""
        order = list(seeds)
        alone = {tree.tasks[0]: tree for tree, _ in self.metrics if len(tree.tasks) == 1}
        return {task: self.mean(alone[task], order)[task] for task in tasks}


@dataclass(frozen=True, slots=True)
class Loss:
    """What models lose, and how surely it is known; fractions of 1."""

    ar: float
    """AR of the mean over seeds, mean over all pairs and depths."""
    largest: float
    """Mean over the quarter of the cells that lose most."""
    spread: float
    """Standard deviation of a task's reduction between seeds, root mean square over cells and tasks."""
    right: float
    """Share of the answers of one seed on the side of the threshold where the others' mean is."""
    wrongly_kept: float
    """Share of the answers that keep the threshold while the others' mean does not."""

    @classmethod
    def of(cls, models: Trainings, baselines: Trainings, truth: Trainings, threshold: float) -> "Loss":
        """Hold models against baselines; a seed is right if it says what the others say against ``truth``."""
        ars = np.sort([_ar(tree, models, models.seeds, baselines) for tree in models.pairs])
        answers = [
            (
                _ar(tree, models, [seed], baselines) <= threshold,
                _ar(tree, models, [other for other in models.seeds if other != seed], truth) <= threshold,
            )
            for tree, seed in product(models.pairs, models.seeds)
        ]
        kept, keeps = np.array(answers).T
        return cls(
            float(ars.mean()),
            float(ars[len(ars) * 3 // 4 :].mean()),
            _spread(models, baselines),
            float((kept == keeps).mean()),
            float((kept & ~keeps).mean()),
        )


def _ar(tree: BranchTree, models: Trainings, seeds: Sequence[int], baselines: Trainings) -> float:
    return accuracy_reduction(baselines.references(tree.tasks, seeds), models.mean(tree, seeds))


def _spread(models: Trainings, baselines: Trainings) -> float:
    lost = [
        [
            [reductions(baselines.references(tree.tasks, [seed]), models.metrics[tree, seed])[task]]
            for seed in models.seeds
        ]
        for tree in models.pairs
        for task in tree.tasks
    ]
    return float(np.sqrt(np.var(lost, axis=1, ddof=1).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared_start", description=__doc__)
    parser.add_argument("folder", type=Path, help="of a reference")
    parser.add_argument("--depths", type=int, nargs="+", help="pairs at these depths only (all of the reference's)")
    options = parser.parse_args()
    folder = options.folder.absolute()
    reference = Reference.open(folder)
    scratch = from_scratch(reference, options.depths or reference.spec.depths)
    shared = from_trunk(reference, scratch, folder)
    tasks = reference.spec.task_names
    print("| task | baseline from scratch | from the trunk |\n| --- | --- | --- |")
    for task in tasks:
        alone = (start.references([task], start.seeds)[task] for start in (scratch, shared))
        print(f"| {task} | {' | '.join(f'{metric:.1%}' for metric in alone)} |")
    print("\n| models | baselines | AR, mean | AR, worst quarter | seeds differ | right about Q | wrongly kept |")
    print("| --- " * 7 + "|")
    rows = {
        ("from scratch", "from scratch"): (scratch, scratch, scratch),
        ("from the trunk", "from the trunk"): (shared, shared, scratch),
        ("from the trunk", "from scratch"): (shared, scratch, scratch),
    }
    for names, start in rows.items():
        loss = Loss.of(*start, reference.spec.ar_threshold)
        shares = (loss.ar, loss.largest, loss.spread, loss.right, loss.wrongly_kept)
        print(f"| {' | '.join([*names, *(f'{share:.2%}' for share in shares)])} |")


def from_scratch(reference: Reference, depths: Collection[int]) -> Trainings:
    """Return the trainings of the reference itself: baselines, and pairs at some depths."""
    return Trainings(
        {
            (training.tree, training.repeat): measured.metrics
            for training, measured in reference.measured.items()
            if len(training.tasks) == 1 or (len(training.tasks) == 2 and training.shared in depths)
        }
    )


def from_trunk(reference: Reference, scratch: Trainings, folder: Path) -> Trainings:
    """Train all of it again, each seed from a trunk of its own."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as processes:
        trunks = dict(
            zip(scratch.seeds, processes.map(_trunk, [folder] * len(scratch.seeds), scratch.seeds), strict=True)
        )

        def train(
            asked: Sequence[tuple[BranchTree, int]], references: Sequence[Metrics | None]
        ) -> dict[tuple[BranchTree, int], Metrics]:
            starts = [trunks[seed] for _, seed in asked]
            metrics = processes.map(_train, [folder] * len(asked), *zip(*asked, strict=True), starts, references)
            return dict(zip(asked, metrics, strict=True))

        alone = [(tree, seed) for tree, seed in scratch.metrics if len(tree.tasks) == 1]
        baselines = train(alone, [None] * len(alone))
        together = list(product(scratch.pairs, scratch.seeds))
        known = Trainings(baselines)
        pairs = train(together, [known.references(tree.tasks, [seed]) for tree, seed in together])
    return Trainings(baselines | pairs)


def _whole(folder: Path) -> TrainingSpec:
    """Return how the reference trains, but from a trunk."""
    spec = opened(folder)[0].spec
    return spec.training.model_copy(update={"start": Start.TRUNK})


def _trunk(folder: Path, seed: int) -> Trunk:
    reference, data = opened(folder)
    epochs, _ = _whole(folder).split(reference.schedule.epochs)
    tree = BranchTree.flat(reference.spec.task_names, reference.depth, reference.depth)
    trainer = Trainer(tree, data, replace(reference.schedule, epochs=epochs), reference.spec.seed + seed)
    weights = _finished(trainer).weights
    assert weights, "it was trained here"
    return Trunk(tree.tasks, weights)


def _train(folder: Path, tree: BranchTree, seed: int, trunk: Trunk, references: Metrics | None) -> Metrics:
    """Return the metrics of a model that starts from the trunk."""
    reference, data = opened(folder)
    _, epochs = _whole(folder).split(reference.schedule.epochs)
    schedule = replace(reference.schedule, epochs=epochs)
    trainer = Trainer(tree, data, schedule, reference.spec.seed + seed, references, start=trunk)
    return _finished(trainer).metrics


def _finished(trainer: Trainer) -> Measurement:
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("")


if __name__ == "__main__":
    main()
