"""Exact and compact synthesis on published and on telling cases; tests/properties holds the proof by brute force."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.compact import compact_tree
from taskgraft.space.cost import tree_cost
from taskgraft.space.exact import MAX_EXACT_TASKS
from taskgraft.space.instance import read_instance
from taskgraft.space.matrix import Cell, Decision, ReductionMatrix
from taskgraft.space.oracle import all_trees, partitions
from taskgraft.space.synthesis import Synthesis, synthesize, synthesize_graph
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.space import paper

CNN8 = get_template("cnn8")


def random_graph(tasks: int, seed: int) -> "nx.Graph[str]":
    rng = np.random.default_rng(seed)
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(f"t{task}" for task in range(tasks))
    graph.add_weighted_edges_from((*pair, int(rng.integers(0, 9))) for pair in combinations(list(graph), 2))
    return graph


def equal_graph(tasks: int, weight: int) -> "nx.Graph[str]":
    graph = random_graph(tasks, seed=0)
    graph.add_weighted_edges_from((*pair, weight) for pair in list(graph.edges))
    return graph


def size(tree: BranchTree) -> int:
    return tree_cost(tree, CNN8).encoder_parameters


def keeps(tree: BranchTree, graph: "nx.Graph[str]") -> bool:
    return all(
        graph.edges[pair]["weight"] >= node.blocks[1] for node in tree.nodes() for pair in combinations(node.tasks, 2)
    )


def test_recursive_is_what_is_meant_where_nothing_is_said() -> None:
    assert synthesize(paper.matrix(), 0.02, CNN8) == synthesize(
        paper.matrix(), 0.02, CNN8, Decision.POINT, Synthesis.RECURSIVE
    )


@pytest.mark.parametrize("method", [Synthesis.EXACT, Synthesis.COMPACT])
def test_no_tree_is_smaller_than_the_published_one_but_one_has_less_reduction(method: Synthesis) -> None:
    tree = synthesize(paper.matrix(), 0.02, CNN8, method=method)
    assert size(tree) == size(synthesize(paper.matrix(), 0.02, CNN8))
    assert [child.tasks for child in tree.root.children] == [("GC", "SCR", "VAD"), ("AC",)]


def test_three_parts_may_be_smaller_than_the_best_two() -> None:
    # {ab} {ce} {d} is smaller than {abe} {cd}, the best split in two by the method's first rule
    weights = {"ab": 8, "ac": 3, "ad": 3, "ae": 4, "bc": 8, "bd": 4, "be": 8, "cd": 4, "ce": 8, "de": 3}
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from("abcde")
    graph.add_weighted_edges_from((*pair, weight) for pair, weight in weights.items())
    exact = synthesize_graph(graph, CNN8, method=Synthesis.EXACT)
    assert size(exact) < size(synthesize_graph(graph, CNN8))
    assert [node.tasks for node in exact.nodes() if node.blocks == (3, 8)] == [("a", "b"), ("c", "e"), ("d",)]


@pytest.mark.parametrize("method", Synthesis)
def test_one_task_and_tasks_that_fit_nowhere(method: Synthesis) -> None:
    assert synthesize(ReductionMatrix(("a",), {}), 0.02, CNN8, method=method) == BranchTree.flat("a", 0, 8)
    assert synthesize(ReductionMatrix(tuple("abc"), {}), 0.02, CNN8, method=method) == BranchTree.flat("abc", 0, 8)


@pytest.mark.parametrize("tasks", [5, 20])
@pytest.mark.parametrize("weight", [0, 3, 8])
def test_equal_weights_make_a_flat_tree(tasks: int, weight: int) -> None:
    graph = equal_graph(tasks, weight)
    assert synthesize_graph(graph, CNN8, method=Synthesis.COMPACT) == BranchTree.flat(list(graph), weight, 8)


def test_equal_sizes_are_told_apart_by_the_reductions_that_the_pairs_use() -> None:
    def tree(ac: float) -> BranchTree:
        cells = {("a", "b"): {8: Cell(0.01)}, ("a", "c"): {8: Cell(ac)}}
        return synthesize(ReductionMatrix(tuple("abc"), cells), 0.02, CNN8, method=Synthesis.EXACT)

    assert [child.tasks for child in tree(ac=0.009).root.children] == [("a", "c"), ("b",)]
    assert [child.tasks for child in tree(ac=0.01).root.children] == [("a", "b"), ("c",)]


def test_exact_says_how_many_tasks_it_takes() -> None:
    graph = random_graph(MAX_EXACT_TASKS + 1, seed=0)
    with pytest.raises(InvalidInput, match="exact synthesis takes at most 12 tasks; got 13") as caught:
        synthesize_graph(graph, CNN8, method=Synthesis.EXACT)
    assert [fault.where for fault in caught.value.faults] == ["synthesis"]


def test_twelve_tasks_are_not_too_many() -> None:
    graph = random_graph(MAX_EXACT_TASKS, seed=1)
    exact, search = synthesize_graph(graph, CNN8, method=Synthesis.EXACT), compact_tree(read_instance(graph, CNN8))
    assert keeps(exact, graph)
    assert size(exact) <= size(search) < size(synthesize_graph(graph, CNN8))


def test_a_large_set_gets_smaller_and_keeps_every_constraint() -> None:
    graph = random_graph(100, seed=2)
    tree = synthesize_graph(graph, CNN8, method=Synthesis.COMPACT)
    assert tree.tasks == tuple(graph)
    assert keeps(tree, graph)
    assert size(tree) < 0.95 * size(synthesize_graph(graph, CNN8))


def test_the_search_finds_planted_groups() -> None:
    graph = random_graph(30, seed=3)
    for first, second, attributes in graph.edges(data=True):
        attributes["weight"] = 7 if int(first[1:]) % 3 == int(second[1:]) % 3 else 2
    tree = synthesize_graph(graph, CNN8, method=Synthesis.COMPACT)
    assert [node.blocks for node in tree.nodes() if len(node.tasks) > 1] == [(0, 2), (2, 7), (2, 7), (2, 7)]


@pytest.mark.parametrize("tasks", [2, 70])
def test_a_chain_of_partitions_is_a_tree(tasks: int) -> None:
    graph = equal_graph(tasks, 3)
    graph.edges["t0", "t1"]["weight"] = 6
    instance = read_instance(graph, CNN8)
    everything, pair = instance.everything, 0b11
    alone = [1 << task for task in range(2, tasks)]
    chain = [[everything], [*alone, pair]] if alone else [[pair]]
    tree = instance.tree(chain)
    assert tree.shared_depth("t0", "t1") == 6
    assert tree.tasks == tuple(graph)
    assert instance.cuts == ((0, 3, 6) if alone else (0, 6))


def test_all_trees_are_all_of_them_each_once() -> None:
    assert [len(list(partitions(tuple("abcde"[:tasks])))) for tasks in range(6)] == [1, 1, 2, 5, 15, 52]
    trees = list(all_trees(tuple("abcd"), 2))
    assert len(trees) == len(set(trees)) == 60  # chains of two partitions of four tasks
