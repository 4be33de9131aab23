"""``python -m benchmarks.affinities FOLDER``: do the gradients of one joint training say which pairs fit together?

Trains all tasks of a reference study (`make bench`) together once, sharing every block, with each of its seeds. At
every evaluation each task's loss is differentiated by the shared weights, on the same few batches; the affinity of two
tasks is the cosine between their gradients, mean over batches and evaluations. It is held against the reference's AR of
the pair, at every depth, by rank (Kendall's tau-b, and Spearman's rho): -1 where the pair with the greater affinity
always loses less, 0 where it says nothing.
"""

import argparse
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, spearmanr

from benchmarks.reference import Reference
from taskgraft.evaluators.training import Trainer
from taskgraft.space.matrix import Pair
from taskgraft.space.tree import BranchTree


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.affinities", description=__doc__)
    parser.add_argument("folder", type=Path, help="of a reference")
    reference = Reference.open(parser.parse_args().folder.absolute())
    found = [affinities(reference, seed) for seed in reference.seeds]
    truth = reference.evidence(reference.seeds)
    pairs = list(combinations(reference.spec.task_names, 2))
    print("| pair | affinity by seed | " + " | ".join(f"AR at {depth}" for depth in reference.spec.depths) + " |")
    print("| --- " * (2 + len(reference.spec.depths)) + "|")
    lost = {depth: [truth.ar(truth.pair(*pair, depth)) for pair in pairs] for depth in reference.spec.depths}
    for place, pair in enumerate(pairs):
        seen = ", ".join(f"{one[pair]:+.3f}" for one in found)
        print(f"| {' + '.join(pair)} | {seen} | " + " | ".join(f"{ars[place]:.2%}" for ars in lost.values()) + " |")
    print()
    print("| depth | tau and rho of the mean affinity | tau by seed |")
    print("| --- | --- | --- |")
    joint = [float(np.mean([one[pair] for one in found])) for pair in pairs]
    for depth, ars in lost.items():
        by_seed = ", ".join(f"{kendalltau([one[pair] for pair in pairs], ars)[0]:+.2f}" for one in found)
        print(f"| {depth} | {kendalltau(joint, ars)[0]:+.2f}, {spearmanr(joint, ars)[0]:+.2f} | {by_seed} |")


def affinities(reference: Reference, seed: int) -> Mapping[Pair, float]:
    """Return the mean cosine between the gradients of every two tasks in one joint training, -1..1."""
    tree = BranchTree.flat(reference.spec.task_names, reference.depth, reference.depth)
    seed += reference.spec.seed
    trainer = Trainer(tree, reference.data(), reference.schedule, seed, with_affinities=True)
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("").affinities


if __name__ == "__main__":
    main()
