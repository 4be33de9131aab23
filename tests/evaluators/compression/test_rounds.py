import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.compression.rounds import rounds


def test_the_rounds_of_the_source() -> None:
    assert rounds(120_000, 61_440) == (96_000, 76_800, 61_440)
    assert rounds(120_000, 58_000) == (96_000, 76_800, 61_440, 58_000)


def test_a_network_that_is_small_enough_has_none() -> None:
    assert rounds(100, 100) == rounds(10, 100) == ()


def test_nothing_left_is_no_network() -> None:
    with pytest.raises(ValueError, match="one weight or more; got 0"):
        rounds(100, 0)


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_every_round_prunes_a_fifth_and_the_last_one_ends_at_the_target(weights: int, target: int) -> None:
    found = rounds(weights, target)
    assert (found[-1] if found else max(weights, target)) == max(target, min(weights, target))
    for before, after in zip((weights, *found), found, strict=False):
        assert after == max(target, int(before * 0.8)) < before
