"""Synthesis is proved against brute force on every kind of small matrix, and against what every tree must keep."""

import random
from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.space.cost import tree_cost
from taskgraft.space.matrix import Cell, ReductionMatrix
from taskgraft.space.oracle import exhaustive_tree, smallest_inside, splits
from taskgraft.space.synthesis import synthesize, synthesize_graph
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree, Node

CNN8 = get_template("cnn8")
THRESHOLD = 0.02
REDUCTIONS = st.sampled_from([0.0, 0.005, 0.01, 0.015, 0.02, 0.021, 0.05, 0.3])


@st.composite
def matrices(draw: st.DrawFn, largest: int = 7) -> ReductionMatrix:
    """Any depths tried, ties and zeros likely."""
    tasks = "abcdefg"[: draw(st.integers(1, largest))]
    cells = st.dictionaries(st.sampled_from(draw(st.sampled_from([(4, 8), (4, 6, 8), (4, 5, 6, 7, 8)]))), REDUCTIONS)
    return ReductionMatrix(
        tuple(tasks),
        {pair: {depth: Cell(ar) for depth, ar in draw(cells).items()} for pair in combinations(tasks, 2)},
    )


@st.composite
def tied_matrices(draw: st.DrawFn) -> ReductionMatrix:
    """One depth for all pairs but a few: many equally good splits, decided by the rules further down."""
    tasks = "abcdefg"[: draw(st.integers(4, 7))]
    pairs = list(combinations(tasks, 2))
    worse = draw(st.dictionaries(st.sampled_from(pairs), st.sampled_from([0, 4, 6]), min_size=1, max_size=4))
    passing = st.sampled_from([0.0, 0.01])
    return ReductionMatrix(
        tuple(tasks),
        {
            pair: {depth: Cell(draw(passing) if depth <= worse.get(pair, 8) else 0.5) for depth in (4, 6, 8)}
            for pair in pairs
        },
    )


@settings(max_examples=150, deadline=None)
@given(st.one_of(matrices(), tied_matrices()))
def test_the_same_tree_as_brute_force(matrix: ReductionMatrix) -> None:
    expected = exhaustive_tree(matrix.compatibility(THRESHOLD), CNN8, matrix)
    assert synthesize(matrix, THRESHOLD, CNN8) == expected


@settings(max_examples=100, deadline=None)
@given(matrices())
def test_the_same_tree_as_brute_force_without_reductions(matrix: ReductionMatrix) -> None:
    graph = matrix.compatibility(THRESHOLD)
    assert synthesize_graph(graph, CNN8) == exhaustive_tree(graph, CNN8)


@settings(max_examples=100, deadline=None)
@given(st.one_of(matrices(), tied_matrices()))
def test_a_first_split_in_two_has_the_best_value_by_rule_a(matrix: ReductionMatrix) -> None:
    graph = matrix.compatibility(THRESHOLD)
    tree = synthesize(matrix, THRESHOLD, CNN8)
    if len(matrix.tasks) < 3:
        return
    values = [min(smallest_inside(graph, part) for part in split) for split in splits(matrix.tasks)]
    if max(values) > smallest_inside(graph, matrix.tasks):
        assert min(smallest_inside(graph, child.tasks) for child in tree.root.children) == max(values)
        assert len(tree.root.children) == 2


@settings(max_examples=100, deadline=None)
@given(matrices())
def test_a_tree_keeps_every_pair_within_its_compatibility(matrix: ReductionMatrix) -> None:
    graph = matrix.compatibility(THRESHOLD)
    tree = synthesize(matrix, THRESHOLD, CNN8)
    for pair in combinations(matrix.tasks, 2):
        assert tree.shared_depth(*pair) <= graph.get_edge_data(*pair, {}).get("weight", 0)
    everything = BranchTree.flat(matrix.tasks, 0, 8)
    assert tree_cost(tree, CNN8).encoder_parameters <= tree_cost(everything, CNN8).encoder_parameters


@st.composite
def trees(draw: st.DrawFn) -> Node:
    """A tree as its own weights: what any two tasks share in it, they may share."""
    names = [f"t{index}" for index in range(draw(st.integers(2, 12)))]

    def grow(tasks: list[str], start: int) -> Node:
        if len(tasks) == 1:
            return Node(tuple(tasks), (start, 8))
        stop = draw(st.integers(start + (tasks != names), 8))
        cut = sorted(draw(st.sets(st.integers(1, len(tasks) - 1), min_size=1, max_size=3)))
        parts = [tasks[first:last] for first, last in zip([0, *cut], [*cut, len(tasks)], strict=True)]
        if stop == 8:
            parts = [[task] for task in tasks]
        return Node(tuple(tasks), (start, stop), tuple(grow(part, stop) for part in parts))

    return grow(names, 0)


@settings(max_examples=100, deadline=None)
@given(trees(), st.randoms(use_true_random=False))
def test_a_tree_is_found_again_from_what_its_pairs_share_in_any_task_order(root: Node, chance: random.Random) -> None:
    tree = BranchTree(root, 8)
    order = list(tree.tasks)
    chance.shuffle(order)
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(order)
    graph.add_weighted_edges_from((*pair, tree.shared_depth(*pair)) for pair in combinations(order, 2))
    found = synthesize_graph(graph, CNN8)
    assert found.tasks == tuple(order)
    assert all(found.shared_depth(*pair) == tree.shared_depth(*pair) for pair in combinations(order, 2))


@settings(max_examples=100, deadline=None)
@given(tied_matrices(), st.data())
def test_task_order_decides_only_between_equally_good_trees(matrix: ReductionMatrix, data: st.DataObject) -> None:
    order = data.draw(st.permutations(matrix.tasks))
    permuted = ReductionMatrix(tuple(order), matrix.cells)
    trees = [synthesize(each, THRESHOLD, CNN8) for each in (matrix, permuted)]
    if any(
        len(node.children) > 2 and not all(child.is_leaf for child in node.children)
        for tree in trees
        for node in tree.nodes()
    ):
        return  # complete linkage breaks its ties by task order without looking at parameters
    first, second = trees
    assert tree_cost(first, CNN8) == tree_cost(second, CNN8)
    assert reductions(first, matrix) == pytest.approx(reductions(second, matrix))


def reductions(tree: BranchTree, matrix: ReductionMatrix) -> float:
    cells = (matrix.cell(*pair, tree.shared_depth(*pair)) for pair in combinations(matrix.tasks, 2))
    return sum(cell.ar for cell in cells if cell)
