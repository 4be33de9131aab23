"""``python -m benchmarks.warm_start FOLDER``: may a pair start from its baselines' blocks and take half the steps?

Takes the baselines of a reference study (`make bench`) and trains every pair of some depths again, with the same seeds,
for half the epochs: branches and heads start as the tasks' own baselines ended, shared blocks as those of one of the
two did. Prints how far the AR of these and of the whole trainings is from that of the other seeds' means, and how often
they are right about the threshold.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations, product
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.reference import Reference, opened
from taskgraft.evaluators.grafting import FlatModel, graft
from taskgraft.evaluators.metrics import accuracy_reduction
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.training import Trainer
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree

_DEPTHS = (5, 8)
COLD, HARDER, EASIER = "from scratch, all steps", "from the harder task, half", "from the easier task, half"


@dataclass(frozen=True, slots=True)
class Question:
    """One pair at one depth, with one seed, and the task whose baseline the shared blocks start from."""

    tree: BranchTree
    seed: int
    donor: str


@dataclass(frozen=True, slots=True)
class Row:
    """One way to start, over all questions; AR as fractions of 1."""

    way: str
    answers: int
    right: int
    """On which side of the threshold the mean of the other seeds lies."""
    wrongly_kept: int
    bias: float
    error: float
    """Root of the mean square."""

    @classmethod
    def of(cls, way: str, found: Sequence[float], truth: Sequence[float], threshold: float) -> "Row":
        """Hold answers against the truth, one by one."""
        said, true = np.array(found), np.array(truth)
        kept, keeps = said <= threshold, true <= threshold
        differences = said - true
        return cls(
            way,
            len(said),
            int((kept == keeps).sum()),
            int((kept & ~keeps).sum()),
            float(differences.mean()),
            float(np.sqrt((differences**2).mean())),
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warm_start", description=__doc__)
    parser.add_argument("folder", type=Path, help="of a reference")
    parser.add_argument("--seeds", type=int, help="so many of its seeds (all)")
    options = parser.parse_args()
    folder = options.folder.absolute()
    reference = Reference.open(folder)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as processes:
        asked = questions(reference, reference.seeds[: options.seeds])
        answers = dict(zip(asked, processes.map(_answer, [folder] * len(asked), asked), strict=True))
    print("| start | answers | right about Q | wrongly kept | bias | error |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows(reference, answers):
        print(f"| {row.way} | {row.answers} | {row.right} | {row.wrongly_kept} | {row.bias:+.2%} | {row.error:.2%} |")


def questions(reference: Reference, seeds: Sequence[int]) -> list[Question]:
    """Yield every pair at the depths, with each seed, from either task."""
    return [
        Question(BranchTree.flat(pair, depth, reference.depth), seed, donor)
        for pair, depth, seed in product(combinations(reference.spec.task_names, 2), _DEPTHS, seeds)
        for donor in pair
    ]


def rows(reference: Reference, answers: Mapping[Question, float]) -> list[Row]:
    """Yield whole trainings from scratch, and warm ones from the task whose baseline is worse, and better."""
    found: dict[str, list[float]] = {COLD: [], HARDER: [], EASIER: []}
    truth = []
    for tree, seed in {(one.tree, one.seed): None for one in answers}:
        alone = reference.evidence([seed])
        easier, harder = sorted(tree.tasks, key=alone.references(tree.tasks).__getitem__, reverse=True)
        found[COLD].append(alone.ar(tree))
        found[HARDER].append(answers[Question(tree, seed, harder)])
        found[EASIER].append(answers[Question(tree, seed, easier)])
        truth.append(reference.evidence(other for other in reference.seeds if other != seed).ar(tree))
    return [Row.of(way, ars, truth, reference.spec.ar_threshold) for way, ars in found.items()]


def _answer(folder: Path, question: Question) -> float:
    """Return the AR of a warm training against the baselines of its seed, on validation."""
    reference, data = opened(folder)
    tasks = question.tree.tasks
    alone = reference.evidence([question.seed])
    references = alone.references(tasks)
    schedule = replace(reference.schedule, epochs=reference.schedule.epochs // 2)
    trainer = Trainer(question.tree, data, schedule, reference.spec.seed + question.seed, references)
    own = {task: Training(alone.baseline(task), question.seed) for task in tasks}
    weights = {task: FlatModel.unpacked([task], reference.checkpoints.load(training)) for task, training in own.items()}
    graft_baselines(trainer.model, weights, question.donor)
    while not trainer.finished:
        trainer.advance()
    return accuracy_reduction(references, trainer.measurement("").metrics)


def graft_baselines(model: TreeModel, baselines: Mapping[str, FlatModel], donor: str) -> None:
    """Put the weights of baselines into a tree: the donor's if it takes part, else the node's first task's."""
    graft(model, lambda tasks: baselines[donor if donor in tasks else tasks[0]])


if __name__ == "__main__":
    main()
