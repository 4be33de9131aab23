"""Synthesis on published and on telling cases; tests/properties holds the proof against brute force."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import tree_cost
from taskgraft.space.matrix import Cell, Decision, ReductionMatrix
from taskgraft.space.oracle import exhaustive_tree
from taskgraft.space.synthesis import first_splits, synthesize, synthesize_graph
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree, Node
from tests.space import paper

CNN8 = get_template("cnn8")


def graph_of(tasks: str, weights: dict[str, int], other: int = 0) -> "nx.Graph[str]":
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(tasks)
    for first, second in combinations(tasks, 2):
        if weight := weights.get(first + second, other):
            graph.add_edge(first, second, weight=weight)
    return graph


def parts(tree: BranchTree) -> list[str]:
    return ["".join(child.tasks) for child in tree.root.children]


def pair(first: str, second: str, start: int, stop: int) -> Node:
    return Node((first, second), (start, stop), (Node((first,), (stop, 8)), Node((second,), (stop, 8))))


def test_the_published_tree() -> None:
    tree = synthesize(paper.matrix(), 0.02, CNN8)
    assert tree.root == Node(paper.NAMES, (0, 6), (pair("GC", "AC", 6, 8), pair("SCR", "VAD", 6, 8)))


@pytest.mark.parametrize(
    "threshold", [0, 0.004, 0.005, 0.006, 0.01, 0.012, 0.017, 0.018, 0.02, 0.023, 0.027, 0.04, 0.07, 0.9]
)
def test_the_published_matrix_at_every_threshold_equals_brute_force(threshold: float) -> None:
    matrix = paper.matrix()
    expected = exhaustive_tree(matrix.compatibility(threshold), CNN8, matrix)
    assert synthesize(matrix, threshold, CNN8) == expected


def test_a_single_task_is_one_leaf() -> None:
    assert synthesize(ReductionMatrix(("a",), {}), 0.02, CNN8) == BranchTree.flat(["a"], 0, 8)


@pytest.mark.parametrize("weight", [0, 5, 8])
def test_equal_weights_make_a_flat_tree(weight: int) -> None:
    assert synthesize_graph(graph_of("abcde", {}, weight), CNN8) == BranchTree.flat("abcde", weight, 8)


def test_rule_a_comes_before_parameters() -> None:
    weights = {"ab": 8, "ac": 3, "ad": 3, "ae": 4, "bc": 8, "bd": 4, "be": 8, "cd": 4, "ce": 8, "de": 3}
    graph = graph_of("abcde", weights)
    tree = synthesize_graph(graph, CNN8)
    assert parts(tree) == ["abe", "cd"]  # 4 inside both; {ab} {ce} {d} is smaller, but no split in two has it at 4
    smallest = min(tree_cost(other, CNN8).encoder_parameters for other in first_splits(graph, CNN8))
    assert smallest < tree_cost(tree, CNN8).encoder_parameters


def test_rule_b_fewest_parameters_in_the_whole_subtree() -> None:
    # all splits that part a and b are equally good by (a); c and d belong to different sides below that
    graph = graph_of("abcd", {"ab": 4, "ac": 8, "bd": 8, "ad": 6, "bc": 6, "cd": 6})
    assert parts(synthesize_graph(graph, CNN8)) == ["ac", "bd"]


def test_rule_c_the_larger_part_is_small() -> None:
    graph = graph_of("abcd", {"ab": 7}, other=8)
    assert parts(synthesize_graph(graph, CNN8)) == ["ac", "bd"]


def test_rule_d_the_smaller_sum_of_reductions_then_rule_e_task_order() -> None:
    def tree(ad: float) -> BranchTree:
        cells = {tasks: {7: Cell(0.001), 8: Cell(0.01)} for tasks in combinations("abcd", 2)}
        cells["a", "b"] = {7: Cell(0.001), 8: Cell(0.5)}
        cells["a", "d"] = {7: Cell(0.001), 8: Cell(ad)}
        return synthesize(ReductionMatrix(tuple("abcd"), cells), 0.02, CNN8)

    assert parts(tree(ad=0.009)) == ["ad", "bc"]
    assert parts(tree(ad=0.01)) == ["ac", "bd"]


def test_groups_stay_together_where_no_split_in_two_helps() -> None:
    inside = {"ad": 8, "be": 7, "cf": 8}
    tree = synthesize_graph(graph_of("abcdef", inside, other=3), CNN8)
    assert tree.root.blocks == (0, 3)
    assert parts(tree) == ["ad", "be", "cf"]
    assert tree.shared_depth("b", "e") == 7


def test_misfits_do_not_keep_the_others_from_sharing() -> None:
    fitting = {"".join(tasks): 8 for tasks in combinations("abcd", 2)}
    tree = synthesize_graph(graph_of("abcdxyz", fitting), CNN8)
    assert parts(tree) == ["abcd", "x", "y", "z"]
    assert tree.root.children[0] == BranchTree.flat("abcd", 8, 8).root


def planted(tasks: int, groups: int, seed: int) -> "nx.Graph[str]":
    """Groups that fit at 6..8 inside; one in twenty of the other pairs fits somewhere by chance."""
    rng = np.random.default_rng(seed)
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(str(task) for task in range(tasks))
    for first, second in combinations(range(tasks), 2):
        if first % groups == second % groups:
            graph.add_edge(str(first), str(second), weight=int(rng.integers(6, 9)))
        elif rng.random() < 0.05:
            graph.add_edge(str(first), str(second), weight=int(rng.integers(1, 6)))
    return graph


@pytest.mark.parametrize(("tasks", "groups"), [(12, 3), (64, 8), (64, 2), (200, 20)])
def test_planted_groups_are_recovered(tasks: int, groups: int) -> None:
    tree = synthesize_graph(planted(tasks, groups, seed=tasks), CNN8)
    found = {
        tuple(int(task) % groups for task in node.tasks) for node in tree.nodes() if len(node.tasks) == tasks // groups
    }
    assert found == {(group,) * (tasks // groups) for group in range(groups)}


def test_a_thousand_tasks_keep_every_constraint() -> None:
    graph = planted(1000, 100, seed=0)
    tree = synthesize_graph(graph, CNN8)
    assert tree.tasks == tuple(graph)
    for node in tree.nodes():
        assert all(
            graph.edges[tasks]["weight"] >= node.blocks[1] for tasks in combinations(node.tasks, 2) if node.blocks[1]
        )


def test_ties_at_many_depths_stay_affordable() -> None:
    # Seven components at each of three depths: comparing all nested splits would look at 8^7 sets of tasks.
    def weight(first: int, second: int) -> int:
        return 8 if first % 7 != second % 7 else 3 - (first // 7 ^ second // 7).bit_length()

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(str(task) for task in range(56))
    graph.add_weighted_edges_from(
        (str(first), str(second), weight(first, second)) for first, second in combinations(range(56), 2)
    )
    tree = synthesize_graph(graph, CNN8)
    assert len(tree.root.children) == 2
    assert tree_cost(tree, CNN8).encoder_parameters < 8 * CNN8.depth * 4100


def test_more_than_64_equal_splits_still_balance_the_parts() -> None:
    tree = synthesize_graph(graph_of("abcdefghijkl", {"ab": 6}, other=8), CNN8)
    assert [len(part) for part in parts(tree)] == [6, 6]


def test_confident_decides_on_the_interval() -> None:
    matrix = ReductionMatrix(("a", "b"), {("a", "b"): {4: Cell(0.01, 0, 0.015), 8: Cell(0.01, 0, 0.03)}})
    assert synthesize(matrix, 0.02, CNN8).root.blocks == (0, 8)
    assert synthesize(matrix, 0.02, CNN8, Decision.CONFIDENT).root.blocks == (0, 4)


def test_first_splits_are_all_of_them_each_tree_once() -> None:
    trees = list(first_splits(paper.matrix().compatibility(0.02), CNN8))
    assert len(trees) == len(set(trees)) == 7
    assert synthesize(paper.matrix(), 0.02, CNN8) in trees
    assert list(first_splits(graph_of("abc", {}, other=5), CNN8)) == [BranchTree.flat("abc", 5, 8)]


def test_weights_beyond_the_template_count_as_its_depth() -> None:
    assert synthesize_graph(graph_of("ab", {"ab": 99}), CNN8) == BranchTree.flat("ab", 8, 8)


def test_a_cell_deeper_than_the_template_is_refused() -> None:
    with pytest.raises(InvalidInput, match="8 blocks; got a cell at depth 9"):
        synthesize(ReductionMatrix(("a", "b"), {("a", "b"): {9: Cell(0.5)}}), 0.02, CNN8)


@pytest.mark.parametrize("weight", [None, -1, 4.5])
def test_weights_are_whole_numbers(weight: object) -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_edge("a", "b", weight=weight)
    with pytest.raises(InvalidInput, match="a,b: a weight is a whole number"):
        synthesize_graph(graph, CNN8)


def test_tasks_have_to_be_there_and_in_the_matrix() -> None:
    with pytest.raises(InvalidInput, match="one task or more"):
        synthesize_graph(nx.Graph(), CNN8)
    with pytest.raises(InvalidInput, match="the matrix has"):
        synthesize_graph(graph_of("ab", {}), CNN8, ReductionMatrix(("a",), {}))
