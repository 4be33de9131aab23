"""The reduction matrix of a study, and the tree that follows from it. Functions of evidence."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Trial
from taskgraft.space.matrix import Cell, Decision, ReductionMatrix
from taskgraft.space.synthesis import synthesize
from taskgraft.space.tree import BranchTree


def reduction_matrix(spec: StudySpec, trials: Iterable[Trial]) -> ReductionMatrix:
    """Return the reduction matrix of a study, with intervals, as far as its ledger goes."""
    return matrix_of(Evidence(spec, trials))


def matrix_of(evidence: Evidence, with_intervals: bool = True) -> ReductionMatrix:
    """Return the AR of every pair at every depth that is known by now.

    If whole groups or trees are tried, they stand for their pairs: none is taken to lose more than its tasks did there.
    """
    cells: dict[tuple[str, str], dict[int, Cell]] = {}
    for tree in sorted(evidence.measured_trees(), key=lambda tree: len(tree.tasks)):
        if len(tree.tasks) > 2 and not evidence.spec.strategy.asks_groups:
            continue
        lost, whole = evidence.reductions(tree), _cell(evidence, tree, with_intervals)
        for pair in combinations(tree.tasks, 2):
            of_pair = max(0.0, *(lost[task] for task in pair))
            cell = replace(whole, ar=of_pair) if len(tree.tasks) > 2 else whole
            by_depth, depth = cells.setdefault(pair, {}), tree.shared_depth(*pair)
            if depth not in by_depth or (by_depth[depth].is_bound and cell.ar < by_depth[depth].ar):
                by_depth[depth] = cell
    return ReductionMatrix(evidence.spec.task_names, cells)


def _cell(evidence: Evidence, tree: BranchTree, with_intervals: bool) -> Cell:
    """Return what a tree says about all of its pairs together."""
    low, high = evidence.interval(tree) if with_intervals else (None, None)
    is_bound = len(tree.tasks) > 2 or evidence.is_bound(tree)
    return Cell(evidence.ar(tree), 0.0 if is_bound and with_intervals else low, high, is_bound)


def decisive_matrix(evidence: Evidence) -> ReductionMatrix:
    """Return the part of the matrix that decides the tree: every pair down to its compatibility, no cell below.

    What is below is known to some strategies only, or from verification. If it broke ties, the tree would depend on
    what has been verified already. Cells that are undecided are left out.
    """
    spec = evidence.spec
    matrix = matrix_of(evidence, with_intervals=spec.decision is Decision.CONFIDENT)
    if undecided := evidence.undecided():
        open_cells = {(*tree.tasks, tree.root.blocks[1]) for tree in undecided if len(tree.tasks) == 2}
        cells = {
            pair: {depth: cell for depth, cell in by_depth.items() if (*pair, depth) not in open_cells}
            for pair, by_depth in matrix.cells.items()
        }
        matrix = ReductionMatrix(matrix.tasks, cells)
    return decisive(matrix, spec.ar_threshold, spec.decision)


def decisive(matrix: ReductionMatrix, threshold: float, decision: Decision) -> ReductionMatrix:
    """Return the matrix without the cells below each pair's compatibility."""
    graph = matrix.compatibility(threshold, decision)
    kept = {pair: graph.get_edge_data(*pair, {}).get("weight", 0) for pair in matrix.cells}
    cells = {
        pair: {depth: cell for depth, cell in by_depth.items() if depth >= kept[pair]}
        for pair, by_depth in matrix.cells.items()
    }
    return ReductionMatrix(matrix.tasks, cells)


def synthesized_tree(evidence: Evidence) -> BranchTree:
    """Return the tree that follows from the decisive part of the matrix: the one way from a study to its tree."""
    spec = evidence.spec
    return synthesize(decisive_matrix(evidence), spec.ar_threshold, spec.encoder, spec.decision, spec.synthesis)
