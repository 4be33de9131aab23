"""Trees by their first split: the source paper's sizes, and what every such tree promises."""

from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import tree_cost
from taskgraft.space.restriction import restricted
from taskgraft.space.split_trees import first_divisions, split_tree
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.space import paper

CNN8 = get_template("cnn8")
PUBLISHED = {
    (("GC", "AC"), ("SCR", "VAD")): 52_600,
    (("GC", "SCR"), ("AC", "VAD")): 60_700,
    (("GC", "VAD"), ("AC", "SCR")): 56_600,
}


@pytest.mark.parametrize(("division", "parameters"), PUBLISHED.items())
def test_splits_in_two_pairs_have_the_published_sizes(
    division: tuple[tuple[str, ...], tuple[str, ...]], parameters: int
) -> None:
    tree = split_tree(division, 6, paper.matrix().compatibility(0.02), CNN8)
    assert tree_cost(tree, CNN8, paper.TASKS).parameters == pytest.approx(parameters, rel=0.009)


def test_four_tasks_have_three_splits_in_pairs_and_four_that_leave_one_apart() -> None:
    sizes = [sorted(map(len, division)) for division in first_divisions(paper.NAMES)]
    assert sorted(sizes) == [[1, 3]] * 4 + [[2, 2]] * 3


@st.composite
def cases(draw: st.DrawFn) -> tuple["nx.Graph[str]", int]:
    tasks = "abcdef"[: draw(st.integers(2, 6))]
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(tasks)
    for pair in combinations(tasks, 2):
        if weight := draw(st.integers(0, 8)):
            graph.add_edge(*pair, weight=weight)
    return graph, draw(st.integers(0, 8))


@given(cases())
def test_parts_share_the_root_and_within_a_part_no_pair_shares_more_than_it_may(
    case: tuple["nx.Graph[str]", int],
) -> None:
    graph, shared = case
    tasks = tuple(graph.nodes)
    for division in first_divisions(tasks):
        assert sorted((*division[0], *division[1])) == sorted(tasks)
        tree = split_tree(division, shared, graph, CNN8)
        assert tree.tasks == tasks
        for first, second in combinations(tasks, 2):
            together = any({first, second} <= set(part) for part in division)
            may = max(shared, graph.get_edge_data(first, second, {}).get("weight", 0)) if together else shared
            assert shared <= tree.shared_depth(first, second) <= may


@given(cases(), st.data())
def test_a_restricted_tree_shares_what_its_tasks_shared_before(
    case: tuple["nx.Graph[str]", int], data: st.DataObject
) -> None:
    graph, shared = case
    tree = split_tree(next(iter(first_divisions(tuple(graph.nodes)))), shared, graph, CNN8)
    kept = data.draw(st.sets(st.sampled_from(tree.tasks), min_size=1))
    smaller = restricted(tree, kept)
    assert smaller.tasks == tuple(task for task in tree.tasks if task in kept)
    for pair in combinations(smaller.tasks, 2):
        assert smaller.shared_depth(*pair) == tree.shared_depth(*pair)
    assert tree_cost(smaller, CNN8).encoder_parameters <= tree_cost(tree, CNN8).encoder_parameters
    assert restricted(tree, tree.tasks) == tree


@pytest.mark.parametrize("tasks", [[], ["a", "x"]])
def test_only_tasks_of_the_tree_can_be_kept(tasks: list[str]) -> None:
    with pytest.raises(InvalidInput, match="one or more of"):
        restricted(BranchTree.flat("ab", 4, 8), tasks)
