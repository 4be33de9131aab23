"""Branch trees: what is legal, JSON in and out, and taking blocks away."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.space.tree import BranchTree, Node

DEPTH = 8


def leaf(task: str, start: int, stop: int = DEPTH) -> Node:
    return Node((task,), (start, stop))


def two_pairs(shared: int = 6) -> BranchTree:
    left = Node(("a", "c"), (shared, 8), (leaf("a", 8), leaf("c", 8)))
    right = Node(("b", "d"), (shared, 7), (leaf("b", 7), leaf("d", 7)))
    return BranchTree(Node(("a", "b", "c", "d"), (0, shared), (left, right)), DEPTH)


@st.composite
def trees(draw: st.DrawFn) -> BranchTree:
    names = [f"t{index}" for index in range(draw(st.integers(1, 7)))]

    def grow(tasks: list[str], start: int) -> Node:
        if len(tasks) == 1:
            return leaf(tasks[0], start)
        stop = draw(st.integers(start + (tasks != names), DEPTH))
        colours = draw(st.lists(st.integers(0, 2), min_size=len(tasks), max_size=len(tasks)))
        parts = [[task for task, c in zip(tasks, colours, strict=True) if c == colour] for colour in range(3)]
        parts = sorted((part for part in parts if part), key=lambda part: names.index(part[0]))
        if len(parts) < 2 or stop == DEPTH:
            parts = [[task] for task in tasks]
        return Node(tuple(tasks), (start, stop), tuple(grow(part, stop) for part in parts))

    return BranchTree(grow(names, 0), DEPTH)


@given(trees())
def test_json_round_trip(tree: BranchTree) -> None:
    assert BranchTree.from_json(tree.to_json(), DEPTH) == tree


@given(trees(), st.data())
def test_taking_a_block_away_shortens_what_that_node_shares_and_nothing_else(
    tree: BranchTree, data: st.DataObject
) -> None:
    sharing = [node for node in tree.nodes() if not node.is_leaf and node.length]
    if not sharing:
        return
    node = data.draw(st.sampled_from(sharing))
    shorter = tree.without_block(node)
    for pair in combinations(tree.tasks, 2):
        before = tree.shared_depth(*pair)
        met_here = set(pair) <= set(node.tasks) and before == node.blocks[1]
        assert shorter.shared_depth(*pair) == before - met_here


@given(trees())
def test_taking_blocks_away_ends_in_independent_models(tree: BranchTree) -> None:
    steps = 0
    while tree.is_shared:
        tree = tree.without_block(next(node for node in tree.nodes() if len(node.tasks) > 1 and node.length))
        steps += 1
    assert steps <= DEPTH * len(tree.tasks)
    assert all(tree.shared_depth(*pair) == 0 for pair in combinations(tree.tasks, 2))


def test_an_emptied_node_under_an_unshared_root_gives_way_to_its_children() -> None:
    pair = Node(("a", "c"), (0, 1), (leaf("a", 1), leaf("c", 1)))
    tree = BranchTree(Node(("a", "b", "c"), (0, 0), (pair, leaf("b", 0))), DEPTH)
    assert tree.without_block(pair) == BranchTree.flat(["a", "b", "c"], 0, DEPTH)


def test_children_of_an_emptied_node_are_sorted_in_among_their_new_siblings() -> None:
    tree = two_pairs(7 - 1)
    shorter = tree.without_block(tree.root.children[1])
    assert [child.tasks for child in shorter.root.children] == [("a", "c"), ("b",), ("d",)]


def test_only_a_node_of_the_tree_that_shares_can_lose_a_block() -> None:
    tree = two_pairs()
    for node in (leaf("a", 8), Node(("a", "b"), (0, 3), (leaf("a", 3), leaf("b", 3)))):
        with pytest.raises(InvalidInput, match="node"):
            tree.without_block(node)


def test_shared_depth_of_pairs() -> None:
    tree = two_pairs()
    assert tree.shared_depth("a", "c") == tree.shared_depth("c", "a") == 8
    assert tree.shared_depth("b", "d") == 7
    assert tree.shared_depth("a", "d") == 6
    assert tree.shared_depth("a", "a") == 8
    with pytest.raises(InvalidInput, match="'x'"):
        tree.shared_depth("a", "x")


@pytest.mark.parametrize("shared", range(DEPTH + 1))
def test_flat_trees(shared: int) -> None:
    tree = BranchTree.flat(["a", "b", "c"], shared, DEPTH)
    assert {tree.shared_depth(*pair) for pair in combinations("abc", 2)} == {shared}
    assert tree.is_shared == (shared > 0)


def test_a_single_task_is_a_tree_of_one_leaf() -> None:
    tree = BranchTree.flat(["a"], 5, DEPTH)
    assert tree.root == leaf("a", 0)
    assert not tree.is_shared


@pytest.mark.parametrize(
    ("root", "where"),
    [
        (leaf("a", 1), "root.blocks"),
        (leaf("a", 0, 7), "root.blocks"),
        (Node((), (0, 8)), "root.tasks"),
        (Node(("a", "b"), (0, 8)), "root.tasks"),
        (Node(("a", "a"), (0, 4), (leaf("a", 4), leaf("a", 4))), "root.tasks"),
        (Node(("a",), (0, 4), (leaf("a", 4),)), "root.children"),
        (Node(("a", "b"), (0, 9), (leaf("a", 9), leaf("b", 9))), "root.blocks"),
        (Node(("a", "b"), (0, 4), (leaf("b", 4), leaf("a", 4))), "root.children"),
        (Node(("a", "b"), (0, 4), (leaf("a", 4), leaf("c", 4))), "root.children"),
        (Node(("a", "b"), (0, 4), (leaf("a", 4), leaf("b", 5))), "root.children.1.blocks"),
        (Node(("a", "b"), (0, 4), (leaf("a", 4), Node((), (4, 8)), leaf("b", 4))), "root.children.1.tasks"),
        (
            Node(("a", "b", "c"), (0, 4), (leaf("a", 4), Node(("b", "c"), (4, 4), (leaf("b", 4), leaf("c", 4))))),
            "root.children.1.blocks",
        ),
        (
            Node(("a", "b", "c"), (0, 4), (leaf("a", 4), Node(("c", "b"), (4, 6), (leaf("c", 6), leaf("b", 6))))),
            "root.children",
        ),
    ],
)
def test_an_illegal_tree_cannot_be_made(root: Node, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        BranchTree(root, DEPTH)
    assert where in {fault.where for fault in caught.value.faults}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"tasks": ["a"], "blocks": [0, 8], "children": []}
    for _ in range(levels):
        value = {"tasks": ["a"], "blocks": [0, 8], "children": [value]}
    return value


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, "root"),
        ([], "root"),
        ({"blocks": [0, 8]}, "root.tasks"),
        ({"tasks": [1], "blocks": [0, 8]}, "root.tasks"),
        ({"tasks": "a", "blocks": [0, 8]}, "root.tasks"),
        ({"tasks": ["a"], "blocks": [0]}, "root.blocks"),
        ({"tasks": ["a"], "blocks": [0, True]}, "root.blocks"),
        ({"tasks": ["a"], "blocks": [0, 8.0]}, "root.blocks"),
        ({"tasks": ["a"], "blocks": [0, 8], "children": {}}, "root.children"),
        ({"tasks": ["a"], "blocks": [0, 8], "children": ["..."]}, "root.children.0"),
        (nested(10), "root" + ".children.0" * 10),
        (nested(900), "root" + ".children.0" * 10),
    ],
)
def test_json_of_the_wrong_shape_is_named(value: object, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        BranchTree.from_json(value, DEPTH)
    assert [fault.where for fault in caught.value.faults] == [where]


def test_every_fault_is_reported() -> None:
    root = Node(("a", "b"), (1, 4), (leaf("a", 5), leaf("b", 4, 7)))
    with pytest.raises(InvalidInput) as caught:
        BranchTree(root, DEPTH)
    assert len(caught.value.faults) == 3
