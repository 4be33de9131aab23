"""Intervals of metrics: how often they hold the truth, and what little data says."""

import numpy as np
import pytest
from numpy.typing import NDArray

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.comparison.metric_interval import metric_interval
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise

SPLITS = 600
ERROR = 0.022
"""More than two standard errors of a share of 95 % over so many splits."""


def answers(right: NDArray[np.bool_]) -> Outcomes:
    clips = np.arange(len(right), dtype=np.int32)
    truth = clips % 2
    predicted = np.where(right, truth, 1 - truth).astype(np.int32)
    return Outcomes.of_classes(clips, truth, predicted, np.ones(len(right), np.int32))


def holds(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1"])
def test_the_interval_holds_the_accuracy_as_often_as_it_says(metric: str) -> None:
    random = np.random.default_rng(1)
    held = [holds(metric_interval(metric, [answers(random.random(200) < 0.8)]), 0.8) for _ in range(SPLITS)]
    assert abs(np.mean(held) - 0.95) < ERROR


def test_groups_of_clips_that_are_right_together_widen_it() -> None:
    """80 groups of 5 clips, each all right or all wrong: without groups the interval would be far too narrow."""
    random, groups = np.random.default_rng(2), np.arange(400) // 5
    held, naive = [], []
    for _ in range(SPLITS):
        said = [answers((random.random(80) < 0.8)[groups])]
        held.append(holds(metric_interval("accuracy", said, groups), 0.8))
        naive.append(holds(metric_interval("accuracy", said), 0.8))
    assert abs(np.mean(held) - 0.95) < ERROR
    assert np.mean(naive) < 0.75


def test_with_several_seeds_it_is_about_the_mean_over_seeds() -> None:
    """Seeds move the accuracy by 4 % (standard deviation): three of them, on the same 400 clips."""
    random, held, without = np.random.default_rng(3), [], []
    for _ in range(SPLITS):
        hardness = random.random(400)

        def seeds(count: int, hardness: NDArray[np.float64] = hardness) -> list[Outcomes]:
            return [answers(hardness < 0.8 + random.normal(0, 0.04)) for _ in range(count)]

        others = [Repeats.of("accuracy", seeds(3)) for _ in range(8)]  # other trainings tell of the noise, too
        said = seeds(3)
        noise = SeedNoise.pool([*others, Repeats.of("accuracy", said)])
        held.append(holds(metric_interval("accuracy", said, noise=noise), 0.8))
        without.append(holds(metric_interval("accuracy", said), 0.8))
    assert abs(np.mean(held) - 0.95) < 0.03
    assert np.mean(without) < 0.9


def test_a_split_that_is_right_everywhere_is_not_taken_for_the_truth() -> None:
    low, high = metric_interval("accuracy", [answers(np.ones(50, bool))])
    assert 0.85 < low < 1.0
    assert high == 1.0


@pytest.mark.parametrize("groups", [None, np.zeros(20, np.int64)])
def test_one_unit_says_nothing(groups: NDArray[np.int64] | None) -> None:
    clips = 1 if groups is None else 20
    assert metric_interval("accuracy", [answers(np.ones(clips, bool))], groups) == (0.0, 1.0)


def test_unknown_noise_of_seeds_leaves_it_open() -> None:
    said = [answers(np.arange(50) < 40)]
    assert metric_interval("accuracy", said, noise=SeedNoise.pool([])) == (0.0, 1.0)
