from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import (
    TaskComparison,
    accuracy_reduction,
    measure,
    measure_all,
    reduction_interval,
    reductions,
    worst_reduction,
)
from taskgraft.evaluators.metrics.interval import draw_clips

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3), st.integers(1, 9)), min_size=1)


def outcomes(truth: Sequence[int] | NDArray[np.int64], predicted: Sequence[int] | NDArray[np.int64]) -> Outcomes:
    clips = np.arange(len(truth), dtype=np.int32)
    return Outcomes.of_classes(clips, np.asarray(truth, np.int32), np.asarray(predicted, np.int32), np.ones_like(clips))


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@given(ROWS)
def test_metrics_are_those_counted_by_hand(rows: list[tuple[int, int, int, int]]) -> None:
    answers = [(truth, predicted) for _, truth, predicted, count in rows for _ in range(count)]
    recalls, precisions, f1s = [], [], []
    for label in sorted({truth for truth, _ in answers}):
        right = sum(truth == predicted == label for truth, predicted in answers)
        labelled = sum(truth == label for truth, _ in answers)
        answered = sum(predicted == label for _, predicted in answers)
        recalls.append(right / labelled)
        precisions.append(right / answered if answered else 0.0)
        f1s.append(2 * right / (labelled + answered))
    expected = {
        "accuracy": mean([truth == predicted for truth, predicted in answers]),
        "balanced_accuracy": mean(recalls),
        "macro_precision": mean(precisions),
        "macro_f1": mean(f1s),
    }
    columns = [np.array(column, np.int32) for column in zip(*rows, strict=True)]
    measured = measure_all(Outcomes.of_classes(*columns))
    assert measured == pytest.approx(expected)
    assert measure(Outcomes.of_classes(*columns), "macro_f1") == measured["macro_f1"]


def test_reductions_are_signed_and_the_ar_is_the_worst_of_them() -> None:
    baselines, metrics = {"a": 0.8, "b": 0.5, "c": 0.0}, {"a": 0.76, "b": 0.55, "c": 0.3}
    assert reductions(baselines, metrics) == pytest.approx({"a": 0.05, "b": -0.1})
    assert accuracy_reduction(baselines, metrics) == pytest.approx(0.05)


def test_a_lower_error_is_a_gain() -> None:
    baselines, metrics = {"a": 0.8, "age": 5.0}, {"a": 0.8, "age": 5.5}
    assert reductions(baselines, metrics, {"age"}) == pytest.approx({"a": 0.0, "age": 0.1})
    assert accuracy_reduction(baselines, metrics, {"age"}) == pytest.approx(0.1)
    assert reductions(metrics, baselines, {"age"})["age"] == pytest.approx(-0.5 / 5.5)


def test_a_baseline_that_is_not_above_0_has_no_reduction() -> None:
    baselines, metrics = {"a": 0.0, "b": -0.1}, {"a": 0.5, "b": 0.4}
    assert reductions(baselines, metrics) == {}
    assert (worst_reduction(baselines, metrics), accuracy_reduction(baselines, metrics)) == (0.0, 0.0)


def test_ar_of_a_model_that_only_gains_is_zero() -> None:
    assert accuracy_reduction({"a": 0.8}, {"a": 0.9}) == 0.0


def answering(truth: NDArray[np.int64], right: NDArray[np.bool_]) -> Outcomes:
    return outcomes(truth, np.where(right, truth, 1 - truth))


def test_interval_covers_the_true_reduction_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for study in range(150):
        truth = random.integers(2, size=250)
        baseline = answering(truth, random.random(250) < 0.9)
        model = answering(truth, random.random(250) < 0.75)
        low, high = reduction_interval(
            [TaskComparison("c", "accuracy", [baseline], [model])], seed=study, resamples=300
        )
        covered += low <= 0.15 / 0.9 <= high
    assert 0.90 <= covered / 150 <= 0.99


def test_interval_is_paired() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(2, size=300)
    baseline = answering(truth, random.random(300) < 0.7)
    worse = np.asarray(baseline.classes.truth == baseline.classes.predicted)
    worse[np.flatnonzero(worse)[:6]] = False
    low, high = reduction_interval([TaskComparison("c", "accuracy", [baseline], [answering(truth, worse)])])
    assert 0.0 < low < 6 / 210 < high < 0.06
    assert reduction_interval([TaskComparison("c", "accuracy", [baseline], [baseline])]) == (0.0, 0.0)


def test_interval_is_that_of_the_worst_task() -> None:
    truth = np.zeros(100, np.int64)
    perfect, poor = outcomes(truth, truth), outcomes(truth, (np.arange(100) < 50).astype(int))
    same = TaskComparison("c", "accuracy", [perfect], [perfect])
    worse = TaskComparison("d", "accuracy", [perfect], [poor])
    alone, both = reduction_interval([worse]), reduction_interval([same, worse])
    assert both == pytest.approx(alone, abs=0.03)
    assert alone[0] < 0.5 < alone[1]


def test_tasks_of_one_corpus_are_resampled_together() -> None:
    truth = np.zeros(100, np.int64)
    perfect, poor = outcomes(truth, truth), outcomes(truth, (np.arange(100) < 20).astype(int))
    one = TaskComparison("c", "accuracy", [perfect], [poor])
    assert reduction_interval([one, one, one]) == reduction_interval([one])
    others = [TaskComparison(corpus, "accuracy", [perfect], [poor]) for corpus in "cde"]
    assert reduction_interval(others)[0] > reduction_interval([one])[0]


def test_draws_that_are_kept_are_those_that_would_be_drawn_again() -> None:
    random = np.random.default_rng(5)
    truth = random.integers(2, size=120)
    repeats = [answering(truth, random.random(120) < share) for share in (0.9, 0.8, 0.7)]
    compared = [TaskComparison(corpus, "accuracy", repeats, repeats[::-1]) for corpus in "cd"]
    first = reduction_interval(compared)
    assert reduction_interval(compared) == first
    (weights, _), generator = draw_clips((120, 120), 0, 1000), np.random.default_rng(0)
    for drawn in weights:
        np.testing.assert_array_equal(drawn, generator.multinomial(120, np.full(120, 1 / 120), size=1000))
    np.testing.assert_array_equal(draw_clips((120, 120), 0, 1000)[1].integers(9, size=9), generator.integers(9, size=9))


def test_repeats_that_disagree_widen_the_interval() -> None:
    random = np.random.default_rng(2)
    truth = random.integers(2, size=2000)
    perfect = outcomes(truth, truth)
    steady = [answering(truth, random.random(2000) < 0.8) for _ in range(2)]
    swinging = [answering(truth, random.random(2000) < share) for share in (0.7, 0.9)]
    low, high = reduction_interval([TaskComparison("c", "accuracy", [perfect, perfect], swinging)])
    steady_low, steady_high = reduction_interval([TaskComparison("c", "accuracy", [perfect, perfect], steady)])
    assert high - low > 3 * (steady_high - steady_low)


def test_tasks_of_one_model_share_its_drawn_repeats() -> None:
    truth = np.zeros(100, np.int64)
    perfect, poor = outcomes(truth, truth), outcomes(truth, (np.arange(100) < 40).astype(int))
    baseline = [perfect, perfect]
    trade = [
        TaskComparison("c", "accuracy", baseline, [poor, perfect]),
        TaskComparison("c", "accuracy", baseline, [perfect, poor]),
    ]
    low, _ = reduction_interval(trade)  # whichever repeats are drawn, one task loses in half of them or more
    assert low > 0.12


def test_interval_repeats_with_its_seed_and_is_nothing_for_nothing() -> None:
    truth = np.arange(40) % 2
    comparison = TaskComparison("c", "macro_f1", [outcomes(truth, truth)], [outcomes(truth, np.zeros(40, np.int64))])
    assert reduction_interval([comparison], seed=5) == reduction_interval([comparison], seed=5)
    assert reduction_interval([]) == (0.0, 0.0)
