from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Outcomes, Table
from taskgraft.evaluators.metrics import measure
from taskgraft.evaluators.outcomes import VALUES
from taskgraft.search.statistics.certainty import TaskSample, estimate
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise
from taskgraft.search.statistics.training_length import Gain

METRICS = ["accuracy", "balanced_accuracy", "macro_precision", "macro_f1"]


def outcomes(right: Sequence[int] | NDArray[np.int_], clips: Sequence[int] | None = None) -> Outcomes:
    """One answer a clip: class 1 where right, else class 0."""
    numbers = np.arange(len(right), dtype=np.int32) if clips is None else np.asarray(clips, np.int32)
    ones = np.ones_like(numbers)
    return Outcomes.of_classes(numbers, ones, np.asarray(right, np.int32), ones)


def random_outcomes(seed: int, clips: int = 30, classes: int = 3) -> Outcomes:
    """Frames of several classes: rows of the same clip, in no order. Classes are those of ``clips`` alone."""
    labels, random = np.random.default_rng(clips), np.random.default_rng(seed)
    rows = np.repeat(np.arange(clips, dtype=np.int32), 3)
    truth = labels.integers(classes, size=len(rows)).astype(np.int32)
    counts = labels.integers(1, 9, size=len(rows)).astype(np.int32)
    wrong = random.random(len(rows)) < 0.3
    predicted = np.where(wrong, random.integers(classes, size=len(rows)), truth).astype(np.int32)
    order = random.permutation(len(rows))
    return Outcomes.of_classes(rows[order], truth[order], predicted[order], counts[order])


def without(outcomes: Outcomes, clip: int) -> Outcomes:
    said = outcomes.classes
    kept = said.clips != clip
    return Outcomes.of_classes(said.clips[kept], said.truth[kept], said.predicted[kept], said.counts[kept])


@pytest.mark.parametrize("metric", METRICS[1:])
def test_influence_is_what_leaving_a_clip_out_changes(metric: str) -> None:
    said = random_outcomes(1)
    found = Repeats.of(metric, [said])
    expected = [29 * (measure(said, metric) - measure(without(said, clip), metric)) for clip in range(30)]
    assert found.influence == pytest.approx(expected)


def test_influence_on_accuracy_is_linear_and_close_to_leaving_the_clip_out() -> None:
    said = random_outcomes(1, clips=300)
    found = Repeats.of("accuracy", [said])
    expected = [299 * (measure(said) - measure(without(said, clip))) for clip in range(300)]
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)
    assert found.influence == pytest.approx(expected, abs=0.01)


@given(st.lists(st.lists(st.integers(0, 1), min_size=7, max_size=7), min_size=1, max_size=4))
def test_summary_of_clip_answers_is_that_of_the_textbook(rights: list[list[int]]) -> None:
    found = Repeats.of("accuracy", [outcomes(right) for right in rights])
    table = np.array(rights, float)
    shares = table.mean(axis=1)
    assert found.count == len(rights)
    assert found.mean == pytest.approx(table.mean())
    assert found.influence == pytest.approx(table.mean(axis=0) - table.mean())
    assert found.sampling == pytest.approx(max(np.mean(shares * (1 - shares)) / 6, 2 * (found.reach / 9) ** 2))
    if len(rights) > 1:
        rounding = 1 / (12 * 7**2)
        centred = table - shares[:, None]
        assert found.between == pytest.approx(max(shares.var(ddof=1), rounding))
        assert found.within == pytest.approx(centred.var(axis=0, ddof=1).mean() / 6)


def test_one_repeat_has_no_variance_between_repeats() -> None:
    found = Repeats.of("accuracy", [outcomes([1, 0, 1])])
    assert (found.between, found.within) == (0.0, 0.0)


def answers_on_new_clips(random: np.random.Generator, clips: int = 80) -> Outcomes:
    truth = random.integers(3, size=clips).astype(np.int32)
    wrong = random.random(clips) < 0.3
    predicted = np.where(wrong, random.integers(3, size=clips), truth).astype(np.int32)
    return Outcomes.of_classes(np.arange(clips, dtype=np.int32), truth, predicted, np.ones(clips, np.int32))


@pytest.mark.parametrize("metric", METRICS)
def test_sampling_variance_is_that_of_metrics_on_other_clips(metric: str) -> None:
    random = np.random.default_rng(0)
    said = [Repeats.of(metric, [answers_on_new_clips(random)]) for _ in range(2000)]
    assert np.mean([one.sampling for one in said]) == pytest.approx(np.var([one.mean for one in said]), rel=0.1)


@pytest.mark.parametrize("metric", METRICS)
def test_order_of_rows_and_numbers_of_clips_say_nothing(metric: str) -> None:
    first = random_outcomes(1)
    said, order = first.classes, np.random.default_rng(0).permutation(90)
    other = Outcomes.of_classes(said.clips[order] * 7 + 3, said.truth[order], said.predicted[order], said.counts[order])
    one, two = Repeats.of(metric, [first]), Repeats.of(metric, [other])
    assert one.influence == pytest.approx(two.influence)
    assert (one.mean, one.sampling) == pytest.approx((two.mean, two.sampling))


def test_no_errors_leave_a_reach_and_a_binomial_variance() -> None:
    found = Repeats.of("accuracy", [outcomes([1] * 96)])
    assert found.reach == 1
    assert found.sampling == pytest.approx(2 / 98**2)
    assert found.binomial == pytest.approx(0.98 * 0.02)


def test_a_class_that_only_one_clip_has_is_left_out_with_it() -> None:
    only = Outcomes.of_classes(*(np.array(column, np.int32) for column in ([0, 1], [0, 1], [0, 0], [1, 1])))
    found = Repeats.of("balanced_accuracy", [only])
    assert found.mean == 0.5
    assert found.influence == pytest.approx([0.5, -0.5])


@pytest.mark.parametrize(
    ("repeats", "rule"),
    [
        ([], "one repeat or more"),
        ([outcomes([1, 0]), outcomes([1, 0, 1])], "same clips"),
        ([outcomes([1, 0]), outcomes([1, 0], clips=[0, 2])], "same clips"),
        ([outcomes([1])], "two clips or more; got 1"),
    ],
)
def test_what_cannot_be_summarized_is_refused(repeats: list[Outcomes], rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        Repeats.of("accuracy", repeats)


def of_values(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> Outcomes:
    clips = np.arange(len(truth))
    return Outcomes({VALUES: Table.of(clips, 0 * clips, truth, predicted, 0 * clips + 1)})


def test_growth_of_an_error_is_a_loss_and_its_fall_a_gain() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(40, 10, 400)
    large, small = (of_values(truth + random.normal(0, error, 400), truth) for error in (6.0, 4.0))
    once, twice = (Repeats.of("mean_absolute_error", [said]) for said in (large, small))
    assert Gain.of(once, twice).share == pytest.approx(once.mean / twice.mean - 1)
    lost = estimate(TaskSample(baseline=twice, model=once), SeedNoise.pool(()))
    assert lost.reduction == pytest.approx(once.mean / twice.mean - 1)
    assert once.binomial == pytest.approx(400 * once.sampling)


def test_noise_of_an_error_grows_with_its_unit() -> None:
    random = np.random.default_rng(1)
    truth = random.normal(0, 1, 100)
    seeds = [truth + random.normal(0, 0.3, 100) for _ in range(2)]
    one, other = (
        Repeats.of("mean_absolute_error", [of_values(unit * said, unit * truth) for said in seeds])
        for unit in (1.0, 1e-3)
    )
    for figure in ("between", "within", "sampling", "binomial"):
        assert getattr(other, figure) == pytest.approx(1e-6 * getattr(one, figure), rel=1e-2)
