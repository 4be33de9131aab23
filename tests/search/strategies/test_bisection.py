import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.search.strategies.bisection import BISECTION, deepest


def questions(depths: Sequence[int], limit: int) -> list[int]:
    asked = []

    def meets_threshold(depth: int) -> bool:
        asked.append(depth)
        return depth <= limit

    deepest(depths, meets_threshold)
    return asked


@given(st.lists(st.integers(1, 40), unique=True).map(sorted), st.integers(0, 41))
def test_the_limit_is_found_in_few_questions_none_of_them_twice(depths: list[int], limit: int) -> None:
    asked = questions(depths, limit)
    assert deepest(depths, lambda depth: depth <= limit) == max((one for one in depths if one <= limit), default=0)
    assert len(asked) == len(set(asked)) <= BISECTION.rule.most_questions(tuple(depths))
    assert asked[:1] == depths[-1:]


@pytest.mark.parametrize("count", range(1, 34))
def test_some_limit_takes_all_those_questions(count: int) -> None:
    depths = tuple(range(1, count + 1))
    most = max(len(questions(depths, limit)) for limit in range(count + 1))
    assert most == BISECTION.rule.most_questions(depths) == 1 + (count - 1).bit_length()


@given(st.lists(st.integers(1, 40), unique=True, max_size=9).map(sorted), st.randoms(use_true_random=False))
def test_what_is_found_was_seen_to_keep_it_whatever_else_is_said(depths: list[int], chance: random.Random) -> None:
    said = {depth: chance.random() < 0.5 for depth in depths}
    found = deepest(depths, said.__getitem__)
    assert said.get(found, True)
