"""The benchmark of synthesis, on sizes that take no time."""

import numpy as np
import pytest
from benchmarks.growth import KINDS, Growth, enumeration, synthesis_growth


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_symmetric_depths_and_the_same_every_time(kind: str) -> None:
    weights = KINDS[kind](64)
    assert (weights == weights.T).all()
    assert set(np.unique(weights)) <= set(range(9))
    assert (weights == KINDS[kind](64)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_doubled_up_to_the_largest(kind: str) -> None:
    growth = synthesis_growth(kind, largest=40)
    assert list(growth.seconds) == [4, 8, 16, 32]
    assert min(growth.seconds.values()) > 0
    assert list(growth.times_the_half) == [8, 16, 32]


def test_what_would_take_too_long_is_left_out() -> None:
    assert list(synthesis_growth("random", limit=0.0).seconds) == [4]


def test_growth_is_told_against_half_the_tasks() -> None:
    assert Growth({4: 1.0, 8: 3.0, 16: 12.0}).times_the_half == {8: 3.0, 16: 4.0}


def test_enumeration_ends_with_the_first_set_that_takes_too_long() -> None:
    found = list(enumeration(limit=0.2))
    assert [one.trees for one in found[:3]] == [9, 117, 1989]
    assert all(one.seconds is not None for one in found[:-1])
    assert found[-1].seconds is None
