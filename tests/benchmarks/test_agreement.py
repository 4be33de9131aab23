"""Compatibilities held against a reference, by hand."""

import pytest
from benchmarks.agreement import agreement, evidence_depths, matrix_depths

from taskgraft.search.study.trial import Training, Trial
from taskgraft.space.matrix import Cell, ReductionMatrix
from taskgraft.space.tree import BranchTree, Node
from tests.search.worlds import finished, make_spec, measurement

AB, AC, BC = ("a", "b"), ("a", "c"), ("b", "c")
DEPTHS = (4, 6, 8)
GOOD, BAD = 0.8, 0.5
"""Accuracies that keep the threshold, and that break it, against baselines of 0.8."""


def trained(tree: BranchTree, **metrics: float) -> Trial:
    return finished(Training(tree), measurement(metrics))


def alone() -> list[Trial]:
    return [trained(BranchTree.flat(task, 8, 8), **{task: GOOD}) for task in "abc"]


def test_the_same_depths_agree_wholly() -> None:
    found = agreement({AB: 4, AC: 0}, {AB: 4, AC: 0})
    assert (found.pairs, found.equal, found.too_deep, found.depth_difference) == (2, 1.0, 0.0, 0.0)


def test_a_difference_counts_as_many_blocks_as_it_has() -> None:
    found = agreement({AB: 8, AC: 5, BC: 0}, {AB: 8, AC: 4, BC: 8})
    assert (found.equal, found.too_deep) == pytest.approx((1 / 3, 1 / 3))
    assert found.depth_difference == pytest.approx(3)


@pytest.mark.parametrize("reference", [{AB: 4, BC: 4}, {AB: 4}, {}])
def test_only_the_same_pairs_are_compared(reference: dict[tuple[str, str], int]) -> None:
    with pytest.raises(ValueError, match="the same pairs"):
        agreement({AB: 4, AC: 4} if reference else {}, reference)


def test_a_pair_is_compatible_at_the_deepest_cell_that_keeps_the_threshold() -> None:
    cells = {AB: {4: Cell(0.0), 6: Cell(0.03), 8: Cell(0.02)}, AC: {4: Cell(0.021)}}
    assert matrix_depths(make_spec(3, depths=DEPTHS), ReductionMatrix(tuple("abc"), cells)) == {AB: 8, AC: 0, BC: 0}


def test_pairs_that_were_not_asked_fit_nowhere() -> None:
    trials = [*alone(), trained(BranchTree.flat("ab", 6, 8), a=GOOD, b=GOOD)]
    assert evidence_depths(make_spec(3, depths=DEPTHS), trials) == {AB: 6, AC: 0, BC: 0}


def test_a_tree_that_keeps_the_threshold_speaks_for_all_of_its_pairs() -> None:
    deep = Node(("a", "b"), (5, 7), (Node(("a",), (7, 8)), Node(("b",), (7, 8))))
    tree = BranchTree(Node(("a", "b", "c"), (0, 5), (deep, Node(("c",), (5, 8)))), 8)
    kept = trained(tree, a=GOOD, b=GOOD, c=GOOD)
    spec = make_spec(3, depths=DEPTHS)
    assert evidence_depths(spec, [*alone(), kept]) == {AB: 6, AC: 4, BC: 4}
    broken = trained(tree, a=GOOD, b=BAD, c=GOOD)
    assert evidence_depths(spec, [*alone(), broken]) == {AB: 0, AC: 0, BC: 0}


def test_a_tree_takes_nothing_away_from_what_a_pair_showed_itself() -> None:
    pair = trained(BranchTree.flat("ab", 8, 8), a=GOOD, b=GOOD)
    tree = trained(BranchTree.flat("abc", 4, 8), a=GOOD, b=GOOD, c=GOOD)
    assert evidence_depths(make_spec(3, depths=DEPTHS), [*alone(), pair, tree]) == {AB: 8, AC: 4, BC: 4}
