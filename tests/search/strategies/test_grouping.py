"""Group testing against worlds whose groups are known."""

import random
from collections.abc import Callable, Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.search.evidence.trees import side_by_side
from taskgraft.search.strategies.grouping import Grouping
from taskgraft.space.tree import BranchTree
from tests.search.branches import DEPTH, branch_trees

DEPTHS = (2, 4, 5, 6, 7, 8)


class Answers:
    """Answers questions by a rule, in any order, and remembers them."""

    def __init__(
        self, tasks: str | tuple[str, ...], rule: Callable[[BranchTree], bool], ranked: Sequence[str] | None = None
    ) -> None:
        self.tasks = tuple(tasks)
        self._ranked = ranked
        self._rule = rule
        self.known: dict[BranchTree, bool] = {}

    def look(self) -> Grouping:
        return Grouping(self.tasks, DEPTHS, DEPTH, self.known.get, self._ranked)

    def run(self, order: random.Random) -> Grouping:
        while (grouping := self.look()).questions:
            assert len(set(grouping.questions)) == len(grouping.questions)
            asked = order.choice(grouping.questions)
            assert asked not in self.known, "asked twice"
            self.known[asked] = self._rule(asked)
        return grouping


def run(tasks: str, rule: Callable[[BranchTree], bool], seed: int = 0) -> Answers:
    answers = Answers(tasks, rule)
    answers.run(random.Random(seed))
    return answers


def rounded(tree: BranchTree, first: str, second: str) -> int:
    """The deepest depth that is tried and no deeper than two tasks may share."""
    return max((depth for depth in DEPTHS if depth <= tree.shared_depth(first, second)), default=0)


@settings(max_examples=150, deadline=None)
@given(branch_trees(), st.randoms(use_true_random=False))
def test_groups_that_nest_are_found(truth: BranchTree, order: random.Random) -> None:
    """A group fits where every pair in it may share as much: the tree that allows all of that is the answer."""

    def fits(tree: BranchTree) -> bool:
        return all(tree.shared_depth(*pair) <= truth.shared_depth(*pair) for pair in combinations(tree.tasks, 2))

    answers = Answers(truth.tasks, fits, order.sample(truth.tasks, len(truth.tasks)))
    found = answers.run(order).tree
    for pair in combinations(truth.tasks, 2):
        assert found.shared_depth(*pair) == rounded(truth, *pair)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 7), st.integers(0, 2**20), st.floats(0, 1), st.randoms(use_true_random=False))
def test_whatever_is_answered_every_group_was_tried_and_kept_the_threshold(
    count: int, seed: int, share: float, order: random.Random
) -> None:
    def rule(tree: BranchTree) -> bool:
        return random.Random(f"{seed} {tree}").random() < share

    ranked = random.Random(seed).sample("abcdefg"[:count], count)
    answers = Answers("abcdefg"[:count], rule, ranked)
    found = answers.run(order)
    for node in found.tree.nodes():
        if len(node.tasks) > 1 and node.blocks[1]:
            assert answers.known[BranchTree.flat(node.tasks, node.blocks[1], DEPTH)]
    assert found.tree == answers.look().tree == Answers(answers.tasks, rule, ranked).run(random.Random(1)).tree


@settings(max_examples=60, deadline=None)
@given(branch_trees())
def test_a_pair_that_does_not_fit_is_asked_about_once(truth: BranchTree) -> None:
    def fits(tree: BranchTree) -> bool:
        return all(tree.shared_depth(*pair) <= truth.shared_depth(*pair) for pair in combinations(tree.tasks, 2))

    answers = run("".join(truth.tasks), fits)
    broken = [tree.tasks for tree, kept in answers.known.items() if not kept and len(tree.tasks) == 2]
    pairs = len(truth.tasks) * (len(truth.tasks) - 1) // 2
    bisected = [tasks for tasks in set(broken) if broken.count(tasks) > 1]
    assert len(set(broken)) <= pairs
    assert all(broken.count(tasks) <= len(DEPTHS) for tasks in bisected)
    assert len(answers.known) <= pairs + len(truth.tasks) * len(DEPTHS)


def test_halves_that_are_families_take_fewer_questions() -> None:
    def fits(tree: BranchTree) -> bool:
        return len({ord(task) % 2 for task in tree.tasks}) == 1

    drawn, ranked = (Answers("abcdefgh", fits, order) for order in (None, "acegbdfh"))
    assert drawn.run(random.Random(0)).tree == ranked.run(random.Random(0)).tree
    assert len(ranked.known) < len(drawn.known)
    assert all(list(tree.tasks) == sorted(tree.tasks) for tree in ranked.known)  # in the order of the study


def test_where_all_fit_one_question_is_enough() -> None:
    answers = run("abcdefgh", lambda tree: True)
    assert list(answers.known) == [BranchTree.flat("abcdefgh", 8, 8)]
    assert answers.look().tree == BranchTree.flat("abcdefgh", 8, 8)


def test_the_deepest_fit_is_found_by_bisection() -> None:
    answers = run("abc", lambda tree: tree.root.blocks[1] <= 4)
    assert [tree.root.blocks[1] for tree in answers.known if len(tree.tasks) == 3] == [8, 5, 2, 4]
    assert answers.look().tree == BranchTree.flat("abc", 4, 8)


def test_independent_questions_are_open_at_the_same_time() -> None:
    answers = Answers("abcd", lambda tree: True)
    assert answers.look().questions == [BranchTree.flat("abcd", 8, 8)]
    for depth in DEPTHS:
        answers.known[BranchTree.flat("abcd", depth, 8)] = False
    assert answers.look().questions == [BranchTree.flat("ab", 2, 8), BranchTree.flat("cd", 2, 8)]


@pytest.mark.parametrize("tasks", ["a", "ab"])
def test_small_studies(tasks: str) -> None:
    assert run(tasks, lambda tree: False).look().tree == BranchTree.flat(tasks, 0, 8)


def test_groups_stand_side_by_side_with_what_is_in_none() -> None:
    group = BranchTree.flat("bd", 5, 8)
    tree = side_by_side([group], "abcd", 8)
    assert [(node.tasks, node.blocks) for node in tree.root.children] == [
        (("a",), (0, 8)),
        (("b", "d"), (0, 5)),
        (("c",), (0, 8)),
    ]
    assert side_by_side([group], "bd", 8) == group
    assert side_by_side([BranchTree.flat("bd", 0, 8)], "bd", 8) == BranchTree.flat("bd", 0, 8)
    assert side_by_side([], "a", 8) == BranchTree.flat("a", 8, 8)
