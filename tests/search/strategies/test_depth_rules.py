"""How many questions about a pair the rules count, against answers worked out by hand."""

import pytest

from taskgraft.search.strategies.adaptive import ADAPTIVE
from taskgraft.search.strategies.bisection import BISECTION
from taskgraft.search.strategies.depth_rules import NOTHING
from taskgraft.search.strategies.exhaustive import EXHAUSTIVE


def test_bisection_takes_few_questions_at_most() -> None:
    most = [BISECTION.rule.most_questions(tuple(range(depths))) for depths in (1, 2, 3, 4, 5, 8, 9)]
    assert most == [1, 2, 3, 3, 4, 4, 5]


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 3.0), (0.5, 1.75), (1.0, 1.0)])
def test_adaptive_expects_fewer_questions_the_more_depths_meet_the_threshold(chance: float, expected: float) -> None:
    assert ADAPTIVE.rule.expected_questions((4, 6, 8), NOTHING, chance) == expected
    assert EXHAUSTIVE.rule.expected_questions((4, 6, 8), NOTHING, chance) == 3


def test_adaptive_stops_at_the_deepest_depth_that_meets_the_threshold() -> None:
    known = frozenset({(8, False), (6, True)})
    assert ADAPTIVE.rule.open_depths((4, 5, 6, 7, 8), known) == {7}
    assert ADAPTIVE.rule.ready((4, 5, 6, 7, 8), known) == [(1, 7)]
    assert EXHAUSTIVE.rule.ready((4, 5, 6, 7, 8), known) == [(1, 4), (2, 5), (3, 7)]


def test_questions_follow_one_another_only_if_they_wait_for_answers() -> None:
    assert [strategy.rule.in_turn(3) for strategy in (EXHAUSTIVE, ADAPTIVE, BISECTION)] == [1, 3, 3]
    assert [strategy.rule.fewest_questions((4, 6, 8)) for strategy in (EXHAUSTIVE, ADAPTIVE, BISECTION)] == [3, 1, 1]
