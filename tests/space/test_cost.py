"""Sizes and MACs, against the published size columns and against sums by hand."""

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import Cost, independent_parameters, tree_cost
from taskgraft.space.synthesis import first_splits
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.space import paper

CNN8 = get_template("cnn8")
WITHIN_2_PERCENT = 0.02


@pytest.mark.parametrize(("shared", "published"), paper.FLAT_PARAMETERS.items())
def test_flat_sharing_has_the_published_sizes(shared: int, published: int) -> None:
    cost = tree_cost(BranchTree.flat(paper.NAMES, shared, 8), CNN8, paper.TASKS)
    assert cost.parameters == pytest.approx(published, rel=WITHIN_2_PERCENT)


@pytest.mark.parametrize(("pairs", "published"), paper.TREE_PARAMETERS.items())
def test_trees_have_the_published_sizes(pairs: tuple[tuple[str, str], ...], published: int) -> None:
    graph = paper.matrix().compatibility(0.02)
    deepest = {pair: graph.edges[pair]["weight"] for pair in pairs}
    (tree,) = (
        tree
        for tree in first_splits(graph, CNN8)
        if all(len(child.tasks) < 3 for child in tree.root.children)
        and all(tree.shared_depth(*pair) == depth for pair, depth in deepest.items())
    )
    assert tree_cost(tree, CNN8, paper.TASKS).parameters == pytest.approx(published, rel=WITHIN_2_PERCENT)


def test_independent_models_cost_what_an_unshared_tree_costs() -> None:
    unshared = tree_cost(BranchTree.flat(paper.NAMES, 0, 8), CNN8, paper.TASKS)
    assert unshared.parameters == independent_parameters(CNN8, paper.TASKS)
    assert unshared.parameters == sum(
        tree_cost(BranchTree.flat([task.name], 0, 8), CNN8, [task]).parameters or 0 for task in paper.TASKS
    )


def test_sharing_a_block_saves_its_parameters_and_its_macs() -> None:
    tasks = [Task("a"), Task("b")]
    costs = [tree_cost(BranchTree.flat("ab", shared, 8), CNN8, tasks) for shared in range(9)]
    shapes = CNN8.shapes(100)
    for block, shape, before, after in zip(CNN8.blocks, shapes, costs, costs[1:], strict=False):
        assert before.encoder_parameters - after.encoder_parameters == block.parameters
        assert (before.macs_per_second or 0) - (after.macs_per_second or 0) == block.macs(shape)


def test_macs_of_one_second_by_hand() -> None:
    # cnn8 on 64 x 100: outputs of each block (bands x frames) times kernel, input and output channels
    blocks = 9 * (
        32 * 50 * 1 * 16
        + 16 * 25 * 16 * 16
        + 16 * 25 * 16 * 19
        + 8 * 25 * 19 * 21
        + 8 * 25 * 21 * 21
        + 3 * 4 * 25 * 21 * 21
    )
    head = 25 * 28 * (3 * (84 + 28) + 1)
    cost = tree_cost(BranchTree.flat(["vad"], 0, 8), CNN8, [Task("vad", TaskKind.FRAMES)])
    assert cost.macs_per_second == blocks + head


def test_without_tasks_only_the_encoder_is_known() -> None:
    tree = BranchTree.flat(paper.NAMES, 8, 8)
    assert tree_cost(tree, CNN8) == Cost(sum(block.parameters for block in CNN8.blocks), None, None)


def test_tasks_may_come_in_any_order_and_more_than_the_tree_has() -> None:
    tree = BranchTree.flat(["GC", "VAD"], 8, 8)
    assert tree_cost(tree, CNN8, paper.TASKS) == tree_cost(tree, CNN8, [paper.TASKS[3], paper.TASKS[0]])


def test_a_missing_task_or_another_depth_is_refused() -> None:
    with pytest.raises(InvalidInput, match="missing"):
        tree_cost(BranchTree.flat(["GC", "x", "y"], 8, 8), CNN8, paper.TASKS)
    with pytest.raises(InvalidInput, match="has 8 blocks; got 5"):
        tree_cost(BranchTree.flat(["GC"], 0, 5), CNN8, paper.TASKS)
