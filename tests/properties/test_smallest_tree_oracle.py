"""Exact and compact synthesis are held against all trees there are, and against what every tree must keep."""

from dataclasses import replace
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.space.compact import compact_tree
from taskgraft.space.cost import tree_cost
from taskgraft.space.instance import read_instance
from taskgraft.space.matrix import Cell, ReductionMatrix
from taskgraft.space.oracle import smallest_tree
from taskgraft.space.synthesis import Synthesis, synthesize, synthesize_graph
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree

CNN8 = get_template("cnn8")
CNN4 = replace(CNN8, name="cnn4", blocks=CNN8.blocks[:4])
CNN3 = replace(CNN8, name="cnn3", blocks=CNN8.blocks[:3])
THRESHOLD = 0.02


def graph_of(tasks: str, weights: "dict[tuple[str, str], int]") -> "nx.Graph[str]":
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(tasks)
    graph.add_weighted_edges_from((*pair, weight) for pair, weight in weights.items() if weight)
    return graph


@st.composite
def graphs(draw: st.DrawFn, deepest: int, smallest: int = 1, largest: int = 5) -> "nx.Graph[str]":
    """Any weights, from all alike to all different."""
    tasks = "abcdefghijklmnop"[: draw(st.integers(smallest, largest))]
    choice = st.sampled_from(draw(st.lists(st.integers(0, deepest), min_size=1, max_size=4)))
    return graph_of(tasks, {pair: draw(choice) for pair in combinations(tasks, 2)})


@st.composite
def matrices(draw: st.DrawFn) -> ReductionMatrix:
    """Four tasks or fewer, AR at every depth of four, so that equal trees differ in what their pairs use."""
    tasks = "abcd"[: draw(st.integers(2, 4))]
    reductions = st.sampled_from([0.0, 0.005, 0.01, 0.02, 0.3])
    return ReductionMatrix(
        tuple(tasks),
        {pair: {depth: Cell(draw(reductions)) for depth in (1, 2, 3, 4)} for pair in combinations(tasks, 2)},
    )


def size(tree: BranchTree, template: Template = CNN8) -> int:
    return tree_cost(tree, template).encoder_parameters


def keeps(tree: BranchTree, graph: "nx.Graph[str]") -> bool:
    return tree.tasks == tuple(graph) and all(
        tree.shared_depth(*pair) <= graph.get_edge_data(*pair, {}).get("weight", 0) for pair in combinations(graph, 2)
    )


@settings(max_examples=40, deadline=None)
@given(graphs(deepest=4))
def test_exact_is_the_best_of_all_trees(graph: "nx.Graph[str]") -> None:
    assert synthesize_graph(graph, CNN4, method=Synthesis.EXACT) == smallest_tree(graph, CNN4)


@settings(max_examples=40, deadline=None)
@given(matrices())
def test_exact_breaks_ties_by_reductions_then_task_order(matrix: ReductionMatrix) -> None:
    expected = smallest_tree(matrix.compatibility(THRESHOLD), CNN4, matrix)
    assert synthesize(matrix, THRESHOLD, CNN4, method=Synthesis.EXACT) == expected


@pytest.mark.parametrize("seed", range(4))
def test_exact_is_the_best_of_all_trees_of_six_tasks(seed: int) -> None:
    weights = np.random.default_rng(seed).choice(4, size=15, p=[0.1, 0.1, 0.3, 0.5])
    graph = graph_of("abcdef", {pair: int(w) for pair, w in zip(combinations("abcdef", 2), weights, strict=True)})
    assert synthesize_graph(graph, CNN3, method=Synthesis.EXACT) == smallest_tree(graph, CNN3)


@settings(max_examples=60, deadline=None)
@given(graphs(deepest=8, largest=9))
def test_exact_is_never_larger_than_compact_nor_compact_than_recursive(graph: "nx.Graph[str]") -> None:
    exact, compact, recursive = (
        synthesize_graph(graph, CNN8, method=method)
        for method in (Synthesis.EXACT, Synthesis.COMPACT, Synthesis.RECURSIVE)
    )
    assert size(exact) <= size(compact) <= size(recursive)
    assert keeps(exact, graph)


@settings(max_examples=15, deadline=None)
@given(graphs(deepest=8, largest=7))
def test_the_search_keeps_every_pair_within_its_weight_and_is_no_better_than_exact(graph: "nx.Graph[str]") -> None:
    found = compact_tree(read_instance(graph, CNN8))
    assert keeps(found, graph)
    assert size(found) >= size(synthesize_graph(graph, CNN8, method=Synthesis.EXACT))


@settings(max_examples=6, deadline=None)
@given(graphs(deepest=8, smallest=13, largest=16))
def test_compact_beyond_the_limit_of_exact(graph: "nx.Graph[str]") -> None:
    compact = synthesize_graph(graph, CNN8, method=Synthesis.COMPACT)
    assert keeps(compact, graph)
    assert size(compact) <= size(synthesize_graph(graph, CNN8))
    assert compact == synthesize_graph(graph.copy(), CNN8, method=Synthesis.COMPACT)


@settings(max_examples=40, deadline=None)
@given(matrices(), st.data())
def test_task_order_decides_only_between_equally_good_exact_trees(matrix: ReductionMatrix, data: st.DataObject) -> None:
    permuted = ReductionMatrix(tuple(data.draw(st.permutations(matrix.tasks))), matrix.cells)
    first, second = (synthesize(each, THRESHOLD, CNN4, method=Synthesis.EXACT) for each in (matrix, permuted))
    assert size(first, CNN4) == size(second, CNN4)
    assert reductions(first, matrix) == pytest.approx(reductions(second, matrix))


def reductions(tree: BranchTree, matrix: ReductionMatrix) -> float:
    cells = (matrix.cell(*pair, tree.shared_depth(*pair)) for pair in combinations(matrix.tasks, 2))
    return sum(cell.ar for cell in cells if cell)


@settings(max_examples=20, deadline=None)
@given(graphs(deepest=8, smallest=6, largest=9), st.sampled_from([Synthesis.EXACT, Synthesis.RECURSIVE]))
def test_names_do_not_matter(graph: "nx.Graph[str]", method: Synthesis) -> None:
    tree = synthesize_graph(graph, CNN8, method=method)
    names = {task: f"t{100 - place}" for place, task in enumerate(graph)}
    renamed = synthesize_graph(nx.relabel_nodes(graph, names), CNN8, method=method)
    expected = [([names[task] for task in node.tasks], node.blocks) for node in tree.nodes()]
    assert [(list(node.tasks), node.blocks) for node in renamed.nodes()] == expected
