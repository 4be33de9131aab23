import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise

CLIPS = 1000
NO_REPEAT = Repeats(
    count=1,
    mean=0.9,
    clips=np.arange(CLIPS, dtype=np.int32),
    influence=np.zeros(CLIPS),
    reach=0.9,
    between=0.0,
    within=0.0,
    sampling=0.09 / CLIPS,
)


def repeated(between: float, count: int = 2, mean: float = 0.9, within: float = 4e-5) -> Repeats:
    return replace(
        NO_REPEAT, count=count, mean=mean, between=between, within=within, sampling=mean * (1 - mean) / CLIPS
    )


def answered(right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Outcomes:
    clips = np.arange(len(right), dtype=np.int32)
    return Outcomes.of_classes(clips, np.ones_like(clips), right.astype(np.int32), np.ones_like(clips))


def drawn(variances: np.ndarray[tuple[int], np.dtype[np.float64]], count: int, seed: int = 0) -> list[Repeats]:
    """Groups with these true variances between repeats."""
    ratios = chi2.rvs(count - 1, size=len(variances), random_state=seed) / (count - 1)
    return [repeated(float(one), count) for one in variances * ratios]


@pytest.mark.parametrize("groups", [[], [NO_REPEAT], [NO_REPEAT, NO_REPEAT]])
def test_without_repeats_seeds_may_do_anything(groups: list[Repeats]) -> None:
    noise = SeedNoise.pool(groups)
    assert noise.pooled_degrees_of_freedom == 0
    assert noise.between(NO_REPEAT)[0] == math.inf
    assert noise.within(NO_REPEAT) == 0


def test_one_repeated_group_is_all_that_others_can_go_by() -> None:
    noise = SeedNoise.pool([repeated(3e-4, count=3), NO_REPEAT])
    variance, degrees_of_freedom = noise.between(NO_REPEAT)
    assert variance == pytest.approx(3e-4, rel=0.02)
    assert degrees_of_freedom == 2


def test_equal_noise_is_pooled() -> None:
    noise = SeedNoise.pool(drawn(np.full(400, 2e-4), count=3))
    variance, degrees_of_freedom = noise.between(NO_REPEAT)
    assert variance == pytest.approx(2e-4, rel=0.1)
    assert degrees_of_freedom > 50


@pytest.mark.parametrize("prior", [3.0, 8.0])
def test_unequal_noise_is_told_by_the_degrees_of_freedom_of_the_prior(prior: float) -> None:
    variances = 2e-4 * prior / chi2.rvs(prior, size=3000, random_state=1)
    noise = SeedNoise.pool(drawn(variances, count=4))
    assert noise.prior_degrees_of_freedom == pytest.approx(prior, rel=0.25)


def test_own_repeats_move_a_moderated_variance() -> None:
    noise = SeedNoise.pool(drawn(2e-4 * 4 / chi2.rvs(4, size=200, random_state=1), count=3))
    expected, prior = noise.between(NO_REPEAT)
    lone = repeated(50 * expected, count=5)
    variance, degrees_of_freedom = noise.between(lone)
    assert variance == pytest.approx((prior * expected + 4 * lone.between) / (prior + 4))
    assert degrees_of_freedom == pytest.approx(prior + 4)


def test_freedom_is_never_more_than_that_of_all_repeats() -> None:
    noise = SeedNoise.pool([repeated(1e-4), repeated(1.1e-4), repeated(0.9e-4)])
    assert noise.between(NO_REPEAT)[1] == 3
    assert noise.between(repeated(1e-4, count=9))[1] == 3
    assert replace(noise, prior_degrees_of_freedom=2.5).between(repeated(1e-4, count=9))[1] == 3


def test_expectation_follows_accuracy_and_clips() -> None:
    noise = SeedNoise.pool([repeated(2e-4, mean=mean) for mean in (0.85, 0.9, 0.9, 0.95)])
    at_half, at_ninety = (
        noise.between(replace(NO_REPEAT, mean=mean, sampling=mean * (1 - mean) / CLIPS))[0] for mean in (0.5, 0.9)
    )
    assert at_half / at_ninety == pytest.approx(0.25 / 0.09, rel=0.02)
    fewer_clips = replace(NO_REPEAT, sampling=NO_REPEAT.sampling * 10)
    assert noise.between(NO_REPEAT)[0] < noise.between(fewer_clips)[0] < 10 * noise.between(NO_REPEAT)[0]


def test_share_of_chance_is_measured_or_expected() -> None:
    noise = SeedNoise.pool([repeated(2e-4, within=3e-5), repeated(2e-4, within=6e-5)])
    assert noise.within(repeated(2e-4, within=5e-5)) == 5e-5
    assert noise.within(NO_REPEAT) == pytest.approx(4.5e-5)


def test_repeats_that_agree_in_everything_leave_some_noise() -> None:
    agreeing = replace(repeated(1e-7, within=0.0), sampling=0.0, mean=1.0)
    variance, degrees_of_freedom = SeedNoise.pool([agreeing, agreeing]).between(agreeing)
    assert variance == pytest.approx(1e-7)
    assert degrees_of_freedom == 2


def test_a_model_that_is_always_right_does_not_upset_what_others_show() -> None:
    random = np.random.default_rng(0)
    usual = [Repeats.of("accuracy", [answered(random.random(CLIPS) < 0.9) for _ in range(3)]) for _ in range(6)]
    perfect = Repeats.of("accuracy", [answered(np.full(CLIPS, True))] * 3)
    without, beside = SeedNoise.pool(usual), SeedNoise.pool([*usual, perfect])
    assert beside.between(NO_REPEAT)[0] == pytest.approx(without.between(NO_REPEAT)[0], rel=0.3)
    assert beside.between(NO_REPEAT)[1] > 3
