from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.search.strategies.repair import repair
from taskgraft.space.tree import BranchTree, Node
from tests.search.branches import branch_trees


def blocks_saved(tree: BranchTree) -> int:
    """Blocks that independent models would have beyond those of the tree."""
    return len(tree.tasks) * tree.depth - sum(node.length for node in tree.nodes())


@settings(max_examples=100, deadline=None)
@given(branch_trees(), st.data())
def test_repairs_share_strictly_less_until_nothing_is_shared(tree: BranchTree, data: st.DataObject) -> None:
    lost = data.draw(st.fixed_dictionaries(dict.fromkeys(tree.tasks, st.floats(-0.5, 0.5))))
    bound = blocks_saved(tree)
    for _ in range(bound):
        if not tree.is_shared:
            break
        repaired = repair(tree, lost)
        assert blocks_saved(repaired) < blocks_saved(tree)
        assert repaired.tasks == tree.tasks
        assert all(repaired.shared_depth(*pair) <= tree.shared_depth(*pair) for pair in combinations(tree.tasks, 2))
        tree = repaired
    assert not tree.is_shared
    if len(tree.tasks) > 1:
        assert tree == BranchTree.flat(tree.tasks, 0, tree.depth)
    with pytest.raises(InvalidInput):
        repair(tree, lost)


@settings(max_examples=100, deadline=None)
@given(branch_trees(), st.data())
def test_the_worst_task_that_shares_gets_a_block_of_its_own(tree: BranchTree, data: st.DataObject) -> None:
    lost = data.draw(st.fixed_dictionaries(dict.fromkeys(tree.tasks, st.floats(-0.5, 0.5))))
    sharing = {task for node in tree.nodes() if not node.is_leaf and node.length for task in node.tasks}
    if not sharing:
        return
    most = max(lost[task] for task in sharing)
    repaired = repair(tree, lost)
    assert any(
        repaired.shared_depth(worst, other) < tree.shared_depth(worst, other)
        for worst in sharing
        for other in tree.tasks
        if lost[worst] == most and other != worst
    )


def leaf(task: str, start: int) -> Node:
    return Node((task,), (start, 8))


def paper_tree(shared: int = 6) -> BranchTree:
    """{a,b,c,d} share ``shared`` blocks; {a,b} and {c,d} share blocks up to the last."""
    parts = [Node(pair, (shared, 8), tuple(leaf(task, 8) for task in pair)) for pair in (("a", "b"), ("c", "d"))]
    return BranchTree(Node(("a", "b", "c", "d"), (0, shared), tuple(parts)), 8)


@pytest.mark.parametrize(
    ("lost", "within"),
    [
        ({"a": 0.09, "b": 0.05, "c": 0.0, "d": 0.01}, {"a", "b"}),
        ({"a": 0.03, "b": 0.0, "c": 0.03, "d": 0.04}, {"c", "d"}),
        ({"a": 0.0, "b": 0.05, "c": 0.05, "d": 0.05}, {"a", "b", "c", "d"}),  # the root hurts more than {a, b}
        ({"a": -0.5, "b": 0.04, "c": 0.0, "d": 0.0}, {"a", "b"}),  # a gain makes up for nothing
        ({"a": 0.02, "b": 0.02, "c": 0.02, "d": 0.02}, {"a", "b"}),  # the smallest, then the first
    ],
)
def test_the_node_that_hurts_the_worst_task_most_loses_a_block(lost: dict[str, float], within: set[str]) -> None:
    tree, repaired = paper_tree(), repair(paper_tree(), lost)
    changed = {pair for pair in combinations("abcd", 2) if repaired.shared_depth(*pair) != tree.shared_depth(*pair)}
    assert all(set(pair) <= within for pair in changed)
    assert changed


def test_a_part_that_keeps_the_threshold_is_left_alone() -> None:
    """{c, d} lose more in the mean, but only {a, b} has a task that loses too much."""
    repaired = repair(paper_tree(0), {"a": 0.03, "b": 0.0, "c": 0.019, "d": 0.019})
    assert (repaired.shared_depth("a", "b"), repaired.shared_depth("c", "d")) == (7, 8)


def test_a_flat_tree_goes_up_block_by_block() -> None:
    tree = BranchTree.flat("abc", 3, 8)
    assert repair(tree, {"a": 0.1, "b": 0.0, "c": 0.0}) == BranchTree.flat("abc", 2, 8)
