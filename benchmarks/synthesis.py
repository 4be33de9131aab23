"""How much smaller trees get by exact and compact synthesis, and what each way of looking for them costs.

Prints the tables of docs/synthesis.md. Sizes are the same everywhere; times are CPU seconds of this process.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations, count
from math import comb
from pathlib import Path
from statistics import mean

import networkx as nx
import numpy as np

from taskgraft.space.compact import compact_tree
from taskgraft.space.cost import tree_cost
from taskgraft.space.instance import read_instance
from taskgraft.space.matrix import ReductionMatrix
from taskgraft.space.oracle import all_trees
from taskgraft.space.synthesis import Synthesis, synthesize, synthesize_graph
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree

Graph = nx.Graph
Kind = Callable[[int, int], "Graph[str]"]

TEMPLATE = get_template("cnn8")
THRESHOLDS = (0.002, 0.005, 0.008, 0.01, 0.012, 0.015, 0.02, 0.025, 0.03, 0.05, 0.07)
DISTRIBUTIONS = {
    "uniform: 0..8 alike": [1 / 9] * 9,
    "mixed: 0 and 8 at 30 %, 4..7": [0.3, 0, 0, 0, 0.1, 0.1, 0.1, 0.1, 0.3],
    "sparse: 0 at 80 %, 4..8": [0.8, 0, 0, 0, 0.04, 0.04, 0.04, 0.04, 0.04],
    "dense: 8 at 80 %, 4..7": [0, 0, 0, 0, 0.05, 0.05, 0.05, 0.05, 0.8],
}
ENUMERATION_SECONDS = 60


def random_graph(probabilities: Sequence[float], tasks: int, seed: int) -> "Graph[str]":
    """Draw every pair's weight on its own."""
    rng = np.random.default_rng(seed)
    return _graph(rng.choice(len(probabilities), size=(tasks, tasks), p=probabilities))


def planted_graph(chance: float, tasks: int, seed: int) -> "Graph[str]":
    """Draw groups of about eight tasks that fit at 6..8; of the other pairs, a share fits at 1..5 by chance."""
    rng = np.random.default_rng(seed)
    group = np.arange(tasks) % max(2, tasks // 8)
    by_chance = np.where(rng.random((tasks, tasks)) < chance, rng.integers(1, 6, (tasks, tasks)), 0)
    return _graph(np.where(group[:, None] == group, rng.integers(6, 9, (tasks, tasks)), by_chance))


def _graph(weights: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> "Graph[str]":
    graph: Graph[str] = nx.Graph()
    graph.add_nodes_from(map(str, range(len(weights))))
    rows, columns = np.nonzero(np.triu(weights, 1))
    graph.add_weighted_edges_from(
        (str(row), str(column), int(weights[row, column])) for row, column in zip(rows, columns, strict=True)
    )
    return graph


KINDS: dict[str, Kind] = {
    **{name: partial(random_graph, probabilities) for name, probabilities in DISTRIBUTIONS.items()},
    **{f"planted, {chance:.0%} by chance": partial(planted_graph, chance) for chance in (0, 0.05, 0.1)},
}


def timed(find: Callable[[], BranchTree]) -> tuple[int, float]:
    """Return the encoder parameters of what ``find`` finds, and its CPU seconds."""
    start = time.process_time()
    tree = find()
    seconds = time.process_time() - start
    return tree_cost(tree, TEMPLATE).encoder_parameters, seconds


def by(method: Synthesis, graph: "Graph[str]") -> tuple[int, float]:
    return timed(lambda: synthesize_graph(graph, TEMPLATE, method=method))


def small_sets(seeds: int) -> Iterator[Sequence[object]]:
    """Compare recursive synthesis, and the search alone, with exact synthesis."""
    yield (
        "weights",
        "tasks",
        "recursive is larger by",
        "at most",
        "in",
        "the search is larger by",
        "in",
        "exact takes (s)",
    )
    for name, kind in KINDS.items():
        for tasks in (4, 6, 8, 10, 12):
            yield name, tasks, *_against_exact([kind(tasks, seed) for seed in range(seeds)])


def _against_exact(graphs: Sequence["Graph[str]"]) -> Iterator[str]:
    exact, seconds = zip(*(by(Synthesis.EXACT, graph) for graph in graphs), strict=True)
    recursive = [by(Synthesis.RECURSIVE, graph)[0] / size - 1 for graph, size in zip(graphs, exact, strict=True)]
    search = [
        timed(partial(compact_tree, read_instance(graph, TEMPLATE)))[0] / size - 1
        for graph, size in zip(graphs, exact, strict=True)
    ]
    yield from (f"{mean(recursive):.1%}", f"{max(recursive):.1%}", f"{mean(map(bool, recursive)):.0%}")
    yield from (f"{mean(search):.2%}", f"{mean(map(bool, search)):.0%}", f"{max(seconds):.2f}")


def published(pairs: Path) -> Iterator[Sequence[object]]:
    """Synthesize the matrix of a file at several thresholds."""
    matrix = ReductionMatrix.from_csv(pairs.read_text())
    yield "threshold", "recursive", "exact", "sum of AR, recursive", "exact"
    for threshold in THRESHOLDS:
        trees = [
            synthesize(matrix, threshold, TEMPLATE, method=method) for method in (Synthesis.RECURSIVE, Synthesis.EXACT)
        ]
        sizes = [tree_cost(tree, TEMPLATE).encoder_parameters for tree in trees]
        yield f"{threshold:.1%}", *sizes, *(f"{_reduction(tree, matrix):.3f}" for tree in trees)


def _reduction(tree: BranchTree, matrix: ReductionMatrix) -> float:
    cells = (matrix.cell(*pair, tree.shared_depth(*pair)) for pair in combinations(tree.tasks, 2))
    return sum(cell.ar for cell in cells if cell)


def large_sets(seeds: int, largest: int) -> Iterator[Sequence[object]]:
    """Compare compact with recursive synthesis beyond the limit of exact synthesis."""
    yield "weights", "tasks", "seeds", "compact / recursive", "worst", "recursive (s)", "compact (s)"
    for name, kind in KINDS.items():
        for tasks in (tasks for tasks in (20, 64, 200, 1000) if tasks <= largest):
            graphs = [kind(tasks, seed) for seed in range(1 if tasks == 1000 else seeds)]
            recursive = [by(Synthesis.RECURSIVE, graph) for graph in graphs]
            compact = [by(Synthesis.COMPACT, graph) for graph in graphs]
            ratios = [small[0] / large[0] for small, large in zip(compact, recursive, strict=True)]
            times = (f"{max(seconds for _, seconds in results):.2f}" for results in (recursive, compact))
            yield name, tasks, len(graphs), f"{mean(ratios):.3f}", f"{max(ratios):.3f}", *times


def growth(largest: int) -> Iterator[Sequence[object]]:
    """Time recursive synthesis of planted groups from 4 tasks on; fastest of three (of one above 1,024 tasks)."""
    yield "tasks", "recursive (s)", "times the half"
    before = None
    for tasks in (2**power for power in range(2, 13) if 2**power <= largest):
        graph = planted_graph(0.05, tasks, seed=0)
        seconds = min(by(Synthesis.RECURSIVE, graph)[1] for _ in range(3 if tasks <= 1024 else 1))
        yield tasks, f"{seconds:.4f}", f"{seconds / before:.1f}" if before else ""
        before = seconds


def enumeration() -> Iterator[Sequence[object]]:
    """Going through all trees, until that takes too long; from there on the time of one tree times their number."""
    yield "tasks", "trees", "going through all (s)", "exact (s)"
    seconds = 0.0
    for tasks in range(2, 13):
        trees = number_of_trees(tasks, TEMPLATE.depth)
        measured = seconds * trees / max(1, number_of_trees(tasks - 1, TEMPLATE.depth)) < ENUMERATION_SECONDS
        if measured:
            seconds = _seconds_of_all_trees(tasks)
            per_tree = seconds / trees
        exact = by(Synthesis.EXACT, random_graph(DISTRIBUTIONS["uniform: 0..8 alike"], tasks, seed=0))[1]
        yield tasks, f"{trees:,}", f"{seconds:.3f}" if measured else f"about {per_tree * trees:,.0f}", f"{exact:.3f}"
        seconds = per_tree * trees


def _seconds_of_all_trees(tasks: int) -> float:
    names = tuple(map(str, range(tasks)))
    start = time.process_time()
    sum(1 for _ in all_trees(names, TEMPLATE.depth))
    return time.process_time() - start


def number_of_trees(tasks: int, depth: int) -> int:
    """Count chains of ``depth`` partitions of so many tasks, each within the one before.

    >>> number_of_trees(4, 1), number_of_trees(4, 2)
    (15, 60)
    """
    below = [1] * (tasks + 1)
    for _ in range(depth):
        here = [1]
        for size in range(1, tasks + 1):
            here.append(sum(comb(size - 1, part - 1) * below[part] * here[size - part] for part in range(1, size + 1)))
        below = here
    return below[tasks]


def show(title: str, rows: Iterator[Sequence[object]]) -> None:
    print(f"\n### {title}\n")
    for number, row in zip(count(), rows, strict=False):
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
        if number == 0:
            print("|" + " --- |" * len(row))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthesis", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="random matrices per row of small sets (default 20)")
    parser.add_argument("--largest", type=int, default=4096, help="leave larger sets of tasks out (default 4096)")
    parser.add_argument("--pairs", type=Path, help="a reduction matrix as CSV, shown at several thresholds")
    arguments = parser.parse_args()
    show("Against exact", small_sets(arguments.seeds))
    if arguments.pairs:
        show("The matrix given", published(arguments.pairs))
    show("Against recursive", large_sets(max(1, arguments.seeds // 4), arguments.largest))
    show("Growth", growth(arguments.largest))
    show("All trees", enumeration())


if __name__ == "__main__":
    main()
