"""Certainty is held against simulated studies whose truth is known: see docs/statistics.md for larger tables."""

from dataclasses import replace

import pytest
from benchmarks.certainty import coverage, decisions
from benchmarks.simulated_study import Regime

from taskgraft.search.statistics.certainty import Verdict

ERROR = 0.05
SIMULATION = 0.015
"""Two standard errors of a rate of 5 % in about 600 to 900 cells."""

REGIMES = [
    Regime(accuracy=0.6, clips=100, seed_sd=0.04),
    Regime(accuracy=0.8, clips=1000, seed_sd=0.02),
    Regime(accuracy=0.97, clips=500, seed_sd=0.0),
    Regime(accuracy=0.99, clips=100, seed_sd=0.01),
    Regime(accuracy=0.6, clips=100, seed_sd=0.04, steps=50),
    Regime(accuracy=0.9, clips=500, seed_sd=0.01, steps=50),
    Regime(accuracy=0.99, clips=1000, seed_sd=0.01, steps=50),
]


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 2, 6])
@pytest.mark.parametrize("regime", REGIMES, ids=str)
def test_intervals_hold_the_true_ar(regime: Regime, repeats: int) -> None:
    assert coverage(regime, repeats, studies=100).held >= 0.93


DECIDED = [Regime(0.97, 500, 0.01, 50), Regime(0.98, 500, 0.02), Regime(0.8, 300, 0.02)]


@pytest.mark.slow
@pytest.mark.parametrize("other", [0.02, -0.02])
@pytest.mark.parametrize("regime", DECIDED, ids=str)
def test_wrong_decisions_at_the_threshold_are_rare(regime: Regime, other: float) -> None:
    found = decisions(replace(regime, ar=0.02, other=other), studies=100)
    assert found.share(Verdict.KEEPS) <= ERROR + SIMULATION
    assert found.share(Verdict.BREAKS) <= ERROR + SIMULATION


@pytest.mark.slow
@pytest.mark.parametrize(("ar", "wrong"), [(0.018, Verdict.BREAKS), (0.022, Verdict.KEEPS)])
@pytest.mark.parametrize("regime", DECIDED, ids=str)
def test_wrong_decisions_beside_the_threshold_are_rarer(regime: Regime, ar: float, wrong: Verdict) -> None:
    assert decisions(replace(regime, ar=ar), studies=100).share(wrong) <= ERROR


@pytest.mark.slow
def test_few_repeats_are_spent_far_from_the_threshold_and_where_they_do_not_help() -> None:
    regime = Regime(0.98, 1500, 0.005)
    far, near, beyond = (decisions(replace(regime, ar=ar), studies=30) for ar in (0.0, 0.03, 0.1))
    assert far.share(Verdict.KEEPS) > 0.95
    assert beyond.share(Verdict.BREAKS) > 0.95
    assert max(far.repeats, beyond.repeats) < 1.7 < near.repeats
    hopeless = decisions(Regime(0.8, 300, 0.01, ar=0.0), studies=30)
    assert hopeless.share(Verdict.OPEN) > 0.8
    assert hopeless.repeats < 2


@pytest.mark.slow
def test_the_error_is_kept_where_pairs_are_noisier_than_baselines() -> None:
    regime = Regime(0.9, 1000, 0.02, ar=0.02, other=-0.02, pairs_noisier=2.0)
    found = decisions(regime, studies=100)
    assert found.share(Verdict.KEEPS) <= ERROR + SIMULATION
    assert found.share(Verdict.BREAKS) <= ERROR + SIMULATION


def test_simulations_repeat_themselves() -> None:
    regime = Regime(clips=50)
    assert coverage(regime, 1, studies=3, seed=4) == coverage(regime, 1, studies=3, seed=4)
    assert decisions(regime, studies=3, seed=4) == decisions(regime, studies=3, seed=4)
