"""A study that takes trainings over ends as if it had trained everything, at whatever threshold they were made."""

from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.search.study.trial import Trial
from tests.search.curves import CurveWorld, cases, count, drive
from tests.search.worlds import make_spec

THRESHOLDS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3)


def assert_same(found: Trial, expected: Trial) -> None:
    assert found.training == expected.training
    one, other = found.measurement, expected.measurement
    assert one is not None
    assert other is not None
    for part in ("metrics", "steps", "steps_left", "best_step", "seconds", "curve", "affinities"):
        assert getattr(one, part) == getattr(other, part), part
    for task, said in other.outcomes.items():
        np.testing.assert_array_equal(one.outcomes[task].classes.predicted, said.classes.predicted)
    if not one.is_censored:
        assert one.weights == other.weights


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from(THRESHOLDS), st.sampled_from(THRESHOLDS))
def test_another_threshold_ends_as_if_it_had_been_the_first(
    case: tuple[dict[str, Any], CurveWorld], before: float, threshold: float
) -> None:
    more, world = case
    first = drive(make_spec(**more, ar_threshold=before), world)
    spec = make_spec(**more, ar_threshold=threshold)
    alone, again = drive(spec, world), drive(spec, world, [first])
    assert again.settled == alone.settled
    assert len(again.trials) == len(alone.trials)
    for found, expected in zip(again.trials, alone.trials, strict=True):
        assert_same(found, expected)
    assert count(again) <= len(alone.trials) - more["tasks"]  # baselines depend on no threshold
    if before == threshold:
        assert count(again) == 0


@settings(max_examples=30, deadline=None)
@given(cases(), st.lists(st.sampled_from(THRESHOLDS), min_size=1, max_size=4), st.sampled_from(THRESHOLDS))
def test_other_strategies_and_thresholds_may_all_have_trained_before(
    case: tuple[dict[str, Any], CurveWorld], before: list[float], threshold: float
) -> None:
    more, world = case
    strategies = ["adaptive", "exhaustive", "bisection", "groups"]
    known = [
        drive(make_spec(**{**more, "strategy": strategies[place]}, ar_threshold=q), world)
        for place, q in enumerate(before)
    ]
    spec = make_spec(**more, ar_threshold=threshold)
    alone, again = drive(spec, world), drive(spec, world, known)
    assert again.settled == alone.settled
    for found, expected in zip(again.trials, alone.trials, strict=True):
        assert_same(found, expected)


def test_most_is_taken_over_where_thresholds_are_close() -> None:
    """A count that would fall to nothing if censored trainings answered no other threshold."""
    lost = {5: 0.0, 6: 0.008, 7: 0.03, 8: 0.25}
    world = CurveWorld({(*pair, depth): ar for pair in combinations("abcd", 2) for depth, ar in lost.items()})
    depths = sorted(lost)
    first = drive(make_spec(4, depths=depths), world)
    again = drive(make_spec(4, depths=depths, ar_threshold=0.025), world, [first])
    censored = [one for one in first.trials if one.measurement and one.measurement.is_censored]
    assert len(censored) >= 12
    assert count(again) <= 6 < len(again.trials) - 10
