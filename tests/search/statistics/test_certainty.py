import math
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.statistics.certainty import (
    Estimate,
    TaskSample,
    VarianceComponent,
    Verdict,
    estimate,
    interval,
    may_settle,
    verdict,
)
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise

CALM = SeedNoise(
    clip_share=0.0, excess=1e-6, scale=1.0, prior_degrees_of_freedom=math.inf, pooled_degrees_of_freedom=100.0
)
UNKNOWN = SeedNoise.pool([])


def said(right: np.ndarray[tuple[int], np.dtype[np.bool_]] | list[int]) -> Outcomes:
    clips = np.arange(len(right), dtype=np.int32)
    ones = np.ones_like(clips)
    return Outcomes.of_classes(clips, ones, np.asarray(right, np.int32), ones)


def answers(right: int, clips: int, repeats: int = 1, shift: int = 0) -> Repeats:
    return Repeats.of("accuracy", [said(np.roll(np.arange(clips) < right, shift))] * repeats)


def known(reduction: float, sd: float = 0.01, repeats: int = 1, seeds: float = 0.0) -> Estimate:
    """An estimate with noise of the clips, and some of the model's seed."""
    return Estimate(
        reduction,
        VarianceComponent(sd**2, 1e9),
        VarianceComponent(seeds**2, 100.0, repeats),
        VarianceComponent(0.0, 100.0, 3),
    )


ESTIMATES = st.lists(
    st.builds(
        known, st.floats(-1, 1), st.floats(1e-4, 0.3), st.integers(1, 6), st.sampled_from([0.0, 0.01, 0.2, math.inf])
    ),
    min_size=1,
    max_size=4,
)


def test_reduction_is_that_of_the_mean_metrics() -> None:
    found = estimate(TaskSample(answers(90, 100, repeats=2), answers(81, 100)), CALM)
    assert found.reduction == pytest.approx(0.1)
    assert (found.model.draws, found.baseline.draws, found.repeats) == (1, 2, 1)


def test_clip_variance_is_that_of_paired_differences() -> None:
    """Where the model has the baseline's metric, only clips on which the two differ count: McNemar's table."""
    baseline, model = answers(90, 100), answers(90, 100, shift=5)
    found = estimate(TaskSample(baseline, model), CALM)
    discordant, unseen = 10 / (100 * 99), 2 * (0.9 / 102) ** 2
    assert found.clips.variance == pytest.approx((discordant + unseen) / 0.9**2)
    assert found.clips.degrees_of_freedom == 99


def test_the_same_errors_on_the_same_clips_leave_only_what_was_not_seen() -> None:
    found = estimate(TaskSample(answers(90, 100), answers(90, 100)), CALM)
    assert found.clips.variance == pytest.approx(2 * (0.9 / 102) ** 2 / 0.9**2)


def test_what_seeds_change_on_clips_is_counted_once() -> None:
    """Answers that are drawn anew by every seed: all their noise is between repeats, none is the clips'."""
    random = np.random.default_rng(0)
    groups = [Repeats.of("accuracy", [said(random.random(2000) < 0.9) for _ in range(4)]) for _ in range(20)]
    noise = SeedNoise.pool(groups)
    found = estimate(TaskSample(groups[0], groups[1]), noise)
    each = 0.9 * 0.1 / 2000 / 4
    assert found.variance * 0.9**2 == pytest.approx(2 * each, rel=0.3)


def test_seed_variance_falls_with_repeats_of_both() -> None:
    noise = replace(CALM, excess=0.01)
    few = estimate(TaskSample(answers(90, 100, 1), answers(90, 100, 1)), noise)
    many = estimate(TaskSample(answers(90, 100, 2), answers(90, 100, 4)), noise)
    assert few.model.variance == few.baseline.variance == many.model.variance
    assert many.variance - many.clips.variance == pytest.approx((1 / 2 + 1 / 4) * few.model.variance)


def test_noise_of_the_baseline_counts_as_far_as_the_model_keeps_up_with_it() -> None:
    noise = replace(CALM, clip_share=1.0)
    baseline, model = answers(90, 100), answers(45, 100)
    found = estimate(TaskSample(baseline, model), noise)
    (of_baseline, _), (of_model, _) = noise.between(baseline), noise.between(model)
    assert found.baseline.variance == pytest.approx(of_baseline * 0.5**2 / 0.9**2)
    assert found.model.variance == pytest.approx(of_model / 0.9**2)


def test_a_baseline_that_is_never_right_tells_nothing() -> None:
    found = estimate(TaskSample(answers(0, 100), answers(30, 100)), CALM)
    assert found.reduction == 0
    assert verdict([found], 0.9, 4) is Verdict.OPEN


def test_other_clips_cannot_be_compared() -> None:
    with pytest.raises(InvalidInput, match="same clips"):
        TaskSample(answers(90, 100), answers(90, 101))


def test_degrees_of_freedom_are_those_of_welch_and_satterthwaite() -> None:
    """Two samples of 4 and 9: the textbook's formula with s1^2 = 3 and s2^2 = 7."""
    found = Estimate(0.0, VarianceComponent(0.0, 1), VarianceComponent(3.0, 3, 4), VarianceComponent(7.0, 8, 9))
    assert found.degrees_of_freedom == pytest.approx((3 / 4 + 7 / 9) ** 2 / ((3 / 4) ** 2 / 3 + (7 / 9) ** 2 / 8))
    assert found.margin(0.025) == pytest.approx(student.ppf(0.975, found.degrees_of_freedom) * math.sqrt(3 / 4 + 7 / 9))


def test_one_look_at_one_task_is_the_one_sided_test() -> None:
    edge = norm.ppf(0.95) * 0.01
    assert verdict([known(0.02 - edge - 1e-6)], 0.02, looks=1) is Verdict.KEEPS
    assert verdict([known(0.02 - edge + 1e-6)], 0.02, looks=1) is Verdict.OPEN
    assert verdict([known(0.02 + edge - 1e-6)], 0.02, looks=1) is Verdict.OPEN
    assert verdict([known(0.02 + edge + 1e-6)], 0.02, looks=1) is Verdict.BREAKS


@pytest.mark.parametrize("looks", [1, 2, 6])
def test_looks_together_spend_the_allowed_error(looks: int) -> None:
    """Found from outside: the least distance at which each look decides, turned back into a probability."""
    spent = sum(norm.sf(_edge(look, looks) / 0.01) for look in range(1, looks + 1))
    assert spent == pytest.approx(0.05, rel=1e-3)


def _edge(look: int, looks: int) -> float:
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        decided = verdict([known(-middle, repeats=look)], 0.0, looks) is Verdict.KEEPS
        low, high = (low, middle) if decided else (middle, high)
    return high


def test_looks_beyond_the_last_are_as_strict_as_the_last() -> None:
    assert _edge(9, 6) == _edge(6, 6)


def test_every_task_has_to_keep_and_one_is_enough_to_break() -> None:
    good, bad, close = known(-0.1), known(0.2), known(0.015)
    assert verdict([good, good], 0.02, 4) is Verdict.KEEPS
    assert verdict([good, close], 0.02, 4) is Verdict.OPEN
    assert verdict([good, bad], 0.02, 4) is Verdict.BREAKS
    assert verdict([close, bad], 0.02, 4) is Verdict.BREAKS


def test_more_tasks_make_breaking_harder_and_keeping_no_harder() -> None:
    edge = norm.ppf(0.95) * 0.01
    broken, kept = known(0.02 + edge + 1e-5), known(0.02 - edge - 1e-5)
    assert verdict([broken], 0.02, 1) is Verdict.BREAKS
    assert verdict([broken, known(-0.5)], 0.02, 1) is Verdict.OPEN
    assert verdict([kept] * 10, 0.02, 1) is Verdict.KEEPS


def test_no_error_on_a_hundred_clips_is_no_certainty() -> None:
    perfect = estimate(TaskSample(answers(100, 100, 3), answers(100, 100, 3)), CALM)
    assert verdict([perfect], 0.02, 4) is Verdict.OPEN
    low, high = interval([perfect])
    assert low == 0
    assert 0.02 < high < 0.04


def test_no_error_on_many_clips_is_enough() -> None:
    perfect = estimate(TaskSample(answers(1000, 1000, 3), answers(1000, 1000, 3)), CALM)
    assert verdict([perfect], 0.02, 4) is Verdict.KEEPS


def test_without_a_repeated_training_nothing_is_decided() -> None:
    hopeless = estimate(TaskSample(answers(990, 1000), answers(100, 1000)), UNKNOWN)
    assert verdict([hopeless], 0.02, 4) is Verdict.OPEN
    assert interval([hopeless]) == (0.0, 1.0)
    assert may_settle([hopeless], 0.02, 4)


def test_a_model_that_shares_nothing_keeps_every_threshold() -> None:
    assert verdict([], 0.0, 4) is Verdict.KEEPS
    assert interval([]) == (0.0, 0.0)


def test_ends_of_the_interval_are_those_of_the_worst_task() -> None:
    low, high = interval([known(0.1), known(-0.5)], 0.95)
    assert low == pytest.approx(0.1 - norm.ppf(1 - 0.025 / 2) * 0.01)
    assert high == pytest.approx(0.1 + norm.ppf(1 - 0.025) * 0.01)


@given(ESTIMATES, st.floats(0.5, 0.999))
def test_the_interval_holds_the_estimated_ar(tasks: list[Estimate], confidence: float) -> None:
    low, high = interval(tasks, confidence)
    assert 0 <= low <= max(0.0, *(task.reduction for task in tasks)) <= high <= 1


@given(ESTIMATES)
def test_more_confidence_widens_the_interval(tasks: list[Estimate]) -> None:
    (low, high), (lower, higher) = interval(tasks, 0.8), interval(tasks, 0.95)
    assert lower <= low <= high <= higher


@given(ESTIMATES, st.floats(0, 0.5), st.floats(0, 0.5), st.integers(1, 8))
def test_a_looser_threshold_is_kept_if_a_tighter_one_is(
    tasks: list[Estimate], threshold: float, other: float, looks: int
) -> None:
    tighter, looser = sorted([threshold, other])
    order = [Verdict.BREAKS, Verdict.OPEN, Verdict.KEEPS]
    assert order.index(verdict(tasks, tighter, looks)) <= order.index(verdict(tasks, looser, looks))


@given(ESTIMATES, st.floats(0, 0.5), st.integers(1, 8))
def test_what_is_told_agrees_with_the_point_estimate(tasks: list[Estimate], threshold: float, looks: int) -> None:
    ar = max(task.reduction for task in tasks)
    told = verdict(tasks, threshold, looks)
    assert told is Verdict.OPEN or (told is Verdict.KEEPS) == (ar <= threshold)


def test_repeats_may_settle_what_seeds_leave_open() -> None:
    assert may_settle([known(0.0, sd=0.001, seeds=0.03)], 0.02, looks=6)
    assert may_settle([known(0.06, sd=0.001, seeds=0.03)], 0.02, looks=6)


def test_repeats_cannot_settle_what_clips_leave_open() -> None:
    assert not may_settle([known(0.0, sd=0.03, seeds=0.01)], 0.02, looks=6)


def test_nothing_settles_after_the_last_repeat() -> None:
    assert not may_settle([known(0.0, sd=0.001, seeds=0.03, repeats=6)], 0.02, looks=6)


def test_estimates_ahead_keep_the_clips_noise_and_thin_that_of_seeds() -> None:
    now = Estimate(0.01, VarianceComponent(4e-4, 99), VarianceComponent(6e-4, 10, 2), VarianceComponent(3e-4, 10, 3))
    later = now.ahead(6, -1)
    assert later.variance == pytest.approx(4e-4 + 1e-4 + 0.5e-4)
    assert later.reduction == pytest.approx(0.01 - math.sqrt(3e-4 - 1e-4 + 0.5e-4))
    assert (later.model.degrees_of_freedom, later.baseline.degrees_of_freedom) == (14, 13)
    assert now.ahead(1, 0) == now


def test_average_over_many_pairs_of_models_is_the_true_reduction() -> None:
    random = np.random.default_rng(0)
    found = [
        estimate(
            TaskSample(
                Repeats.of("accuracy", [said(random.random(400) < 0.8)]),
                Repeats.of("accuracy", [said(random.random(400) < 0.72)]),
            ),
            CALM,
        )
        for _ in range(2000)
    ]
    assert fmean(one.reduction for one in found) == pytest.approx(0.1, abs=0.003)
    assert fmean(one.clips.variance for one in found) == pytest.approx(
        np.var([one.reduction for one in found]), rel=0.1
    )
