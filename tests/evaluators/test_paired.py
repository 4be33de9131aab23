from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import measure, metrics_of
from taskgraft.evaluators.paired import Bounds, PairedAnswers, PairedBootstrap, Spread

Ints = NDArray[np.int64]


def answers(truth: Ints, predicted: Ints, steps: int = 1) -> Outcomes:
    clips = np.arange(len(truth), dtype=np.int32)
    return Outcomes.of_classes(clips, truth, predicted, np.full(len(truth), steps))


def right_where(right: NDArray[np.bool_], truth: Ints | None = None) -> Outcomes:
    truth = np.zeros(len(right), np.int64) if truth is None else truth
    return answers(truth, np.where(right, truth, truth + 1))


def bounds_of(*tasks: PairedAnswers, lower: float = 0.05) -> list[Bounds]:
    return PairedBootstrap(tasks, seed=1).bounds(0.05, lower)


def wrong_first(clips: int, wrong: int) -> NDArray[np.bool_]:
    return np.arange(clips) >= wrong


@pytest.mark.parametrize(("clips", "lost"), [(150, 0), (150, 3), (2000, 0), (2000, 11)])
def test_a_model_that_only_loses_gets_the_bounds_of_clopper_and_pearson(clips: int, lost: int) -> None:
    perfect = right_where(wrong_first(clips, 0))
    (found,) = bounds_of(PairedAnswers("c", "accuracy", [perfect], [right_where(wrong_first(clips, lost))]))
    assert found.reduction == pytest.approx(lost / clips)
    assert found.upper == pytest.approx(beta.ppf(0.95, lost + 1, clips - lost), rel=0.06)
    if lost > 5:
        assert 0 < found.lower < lost / clips


def test_the_reduction_is_that_of_the_metric() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(4, size=300)
    said = [
        answers(truth, np.where(random.random(300) < share, truth, random.integers(4, size=300)))
        for share in (0.9, 0.7)
    ]
    for metric in metrics_of("clip"):
        (found,) = bounds_of(PairedAnswers("c", metric, said[:1], said[1:]))
        assert found.reduction == pytest.approx(1 - measure(said[1], metric) / measure(said[0], metric))
        assert found.lower < found.reduction < found.upper


def test_bounds_are_paired_and_shrink_with_clips() -> None:
    random = np.random.default_rng(1)
    widths = []
    for clips in (200, 3200):
        right = random.random(clips) < 0.7
        swapped = right ^ (np.arange(clips) % 50 == 0)  # 2 % of the clips differ
        (same,) = bounds_of(PairedAnswers("c", "accuracy", [right_where(right)], [right_where(right)]))
        (near,) = bounds_of(PairedAnswers("c", "accuracy", [right_where(right)], [right_where(swapped)]))
        (apart,) = bounds_of(
            PairedAnswers("c", "accuracy", [right_where(right)], [right_where(random.permutation(right))])
        )
        assert same.upper - same.lower < near.upper - near.lower < apart.upper - apart.lower
        widths.append(near.upper - near.lower)
    assert widths[0] > 3 * widths[1]


def test_groups_are_what_counts() -> None:
    """Clips that are right or wrong in whole groups tell as much as the groups alone."""
    random = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 25)
    baseline, model = (right_where(np.repeat(random.random(40) < share, 25)) for share in (0.9, 0.8))
    clip_by_clip = PairedAnswers("c", "accuracy", [baseline], [model])
    (loose,) = bounds_of(clip_by_clip)
    (tight,) = bounds_of(PairedAnswers("c", "accuracy", [baseline], [model], groups=groups))
    assert (loose.units, tight.units) == (1000, 40)
    assert tight.upper - tight.lower > 4 * (loose.upper - loose.lower)
    alone = PairedAnswers("c", "accuracy", [baseline], [model], groups=np.arange(1000))
    assert bounds_of(alone) == [loose]


@pytest.mark.parametrize("right", [0, 3, 50])
def test_a_baseline_that_is_right_about_no_clip_leaves_the_bounds_open(right: int) -> None:
    baseline, model = (right_where(wrong_first(50, wrong)) for wrong in (50, 50 - right))
    (found,) = bounds_of(PairedAnswers("c", "accuracy", [baseline], [model]))
    assert (found.lower, found.reduction, found.upper) == (0.0, 0.0, 1.0)


def test_a_single_unit_says_nothing() -> None:
    said = right_where(wrong_first(50, 5))
    (found,) = bounds_of(PairedAnswers("c", "accuracy", [said], [said], groups=np.zeros(50, np.int64)))
    assert (found.upper, found.units) == (1.0, 1)
    assert found.lower == pytest.approx(1 - 1 / 0.9)


def test_noise_of_seeds_widens_the_bounds() -> None:
    said = right_where(wrong_first(2000, 200))
    found = [
        bounds_of(PairedAnswers("c", "accuracy", [said, said], [said], baseline_spread=spread))[0]
        for spread in (None, Spread(0.01, 60.0), Spread(0.01, 2.0))
    ]
    uppers = [one.upper for one in found]
    assert uppers[0] < 0.002
    assert uppers[1] == pytest.approx(1.67 * 0.01 / 0.9, rel=0.1)
    assert uppers[2] == pytest.approx(2.92 * 0.01 / 0.9, rel=0.1)
    (unknown,) = bounds_of(PairedAnswers("c", "accuracy", [said], [said], baseline_spread=Spread(np.inf, 1.0)))
    assert unknown.upper == 1.0


def test_tasks_keep_their_order_and_their_own_clips() -> None:
    def task(corpus: str, clips: int, lost: int) -> PairedAnswers:
        return PairedAnswers(
            corpus, "accuracy", [right_where(wrong_first(clips, 0))], [right_where(wrong_first(clips, lost))]
        )

    tasks = [task("a", 100, 5), task("b", 400, 4), task("a", 200, 20)]
    found = bounds_of(*tasks)
    assert [one.units for one in found] == [100, 400, 200]
    assert [one.reduction for one in found] == pytest.approx([0.05, 0.01, 0.1])
    assert found[1].upper == pytest.approx(bounds_of(tasks[1])[0].upper, rel=0.05)
    assert PairedBootstrap([]).bounds(0.05, 0.05) == []


def test_frames_count_by_their_clips() -> None:
    clips = np.repeat(np.arange(200, dtype=np.int32), 2)
    truth, predicted = np.zeros(400, np.int32), np.tile(np.array([0, 1], np.int32), 200)

    def share(right: Sequence[int]) -> Outcomes:
        counts = np.array([[one, 50 - one] for one in right], np.int32).ravel()
        return Outcomes.of_classes(clips, truth, predicted, counts)

    few_bad_clips = share([0] * 4 + [50] * 196)
    all_a_bit_worse = share([49] * 200)
    perfect = share([50] * 200)
    (bad,) = bounds_of(PairedAnswers("c", "accuracy", [perfect], [few_bad_clips]))
    (bit,) = bounds_of(PairedAnswers("c", "accuracy", [perfect], [all_a_bit_worse]))
    assert bad.reduction == pytest.approx(bit.reduction) == pytest.approx(0.02)
    assert bad.upper == pytest.approx(beta.ppf(0.95, 5, 196), rel=0.06)
    assert bit.upper < bad.upper
