"""What each node costs: together, what the tree costs."""

from dataclasses import replace

import pytest

from taskgraft.space.cost import tree_cost
from taskgraft.space.document import read_tree_document, tree_document
from taskgraft.space.node_cost import costs_of, node_costs
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree

CNN8 = get_template("cnn8")
TASKS = ("a", "b", "c")


@pytest.mark.parametrize("shared", range(9))
def test_nodes_cost_together_what_their_tree_costs(shared: int) -> None:
    tree = BranchTree.flat(TASKS, shared, 8)
    costs = node_costs(tree, CNN8)
    assert sum(cost.parameters for cost in costs) == tree_cost(tree, CNN8).encoder_parameters
    # Three models of their own have three times the MACs; every shared block saves twice its own.
    alone = CNN8.macs_per_second
    saved = 2 * node_costs(BranchTree.flat(("a",), 8, 8), CNN8)[0].macs_per_second if shared == 8 else None
    total = sum(cost.macs_per_second for cost in costs)
    assert alone <= total <= 3 * alone
    assert saved is None or total == 3 * alone - saved


def test_the_paper_s_blocks_have_their_sizes() -> None:
    root = node_costs(BranchTree.flat(TASKS, 4, 8), CNN8)[0]
    assert root.parameters == pytest.approx(9_033, rel=0.02)


def test_a_form_whose_blocks_are_smaller_tells_no_costs() -> None:
    tree = BranchTree.flat(TASKS, 4, 8)
    form = tree_document(tree, CNN8, 0.02)
    drawn = read_tree_document(form)
    assert costs_of(drawn, form["encoder_parameters"]) == node_costs(tree, CNN8)
    assert costs_of(drawn, form["encoder_parameters"] - 1) is None
    assert costs_of(replace(drawn, found=BranchTree.flat(TASKS, 0, 8)), form["encoder_parameters"]) is None
