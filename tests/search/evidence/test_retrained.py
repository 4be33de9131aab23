from collections.abc import Sequence

import numpy as np
import pytest
from benchmarks.simulated_study import Regime, Study

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.evidence.retrained import TaskSeeds, summarize_seeds
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise
from taskgraft.search.study.task_spec import TaskSpec
from tests.search.worlds import make_spec, outcomes

TASKS: Sequence[TaskSpec] = make_spec(2).tasks


def noise_of(*samples: Sequence[Outcomes]) -> SeedNoise:
    return SeedNoise.pool(Repeats.of("accuracy", said) for said in samples)


def test_the_mean_is_that_of_the_ars_against_the_mean_baselines() -> None:
    alone = [outcomes(0.8, 200), outcomes(0.9, 200)]
    trees = [[outcomes(0.68, 200), outcomes(0.85, 200)], [outcomes(0.9, 200), outcomes(0.765, 200)]]
    samples = [TaskSeeds(task, alone, model, None) for task, model in zip(TASKS, trees, strict=True)]
    found = summarize_seeds(samples, 2, noise_of(alone, *trees))
    assert found.ars == pytest.approx((0.2, 0.1))
    assert found.ar_mean == pytest.approx(0.15)
    assert found.ar_interval[0] <= 0.15 <= found.ar_interval[1]
    assert [task.reduction for task in found.tasks] == pytest.approx([0.1, 0.02058823])
    for task in found.tasks:
        assert task.interval[0] < task.reduction < task.interval[1]


def test_a_tree_that_shares_nothing_keeps_everything() -> None:
    found = summarize_seeds([], 3, noise_of())
    assert (found.ar_mean, found.ar_interval, found.ars, found.tasks) == (0.0, (0.0, 0.0), (0.0, 0.0, 0.0), ())


def test_without_any_repeat_the_interval_is_open() -> None:
    alone = outcomes(0.8, 50)
    found = summarize_seeds([TaskSeeds(TASKS[0], [alone], [alone], None)], 1, noise_of([alone]))
    assert found.ar_interval == (0.0, 1.0)
    assert found.tasks[0].interval == pytest.approx((1 - 1 / 0.8, 1.0))


@pytest.mark.parametrize(("right", "clips"), [(1.0, 1), (0.0, 1), (0.0, 50)])
def test_a_split_that_tells_nothing_leaves_the_interval_open(right: float, clips: int) -> None:
    """One clip, or a baseline that is right about none."""
    alone, told = [outcomes(right, clips)] * 2, outcomes(0.8, 50)
    found = summarize_seeds([TaskSeeds(TASKS[0], alone, [outcomes(1.0, clips)] * 2, None)], 2, noise_of([told, told]))
    assert (found.ar_mean, found.ar_interval) == (0.0, (0.0, 1.0))
    assert (found.tasks[0].reduction, found.tasks[0].interval) == (0.0, (0.0, 1.0))


def test_noise_of_seeds_and_groups_widen_the_interval() -> None:
    def width(models: list[Outcomes], groups: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None) -> float:
        alone = [outcomes(0.8, 400, shift) for shift in range(3)]
        found = summarize_seeds([TaskSeeds(TASKS[0], alone, models, groups)], 3, noise_of(alone, models))
        return found.tasks[0].interval[1] - found.tasks[0].interval[0]

    steady = [outcomes(0.79, 400, shift) for shift in range(3)]
    swinging = [outcomes(share, 400) for share in (0.7, 0.79, 0.88)]
    assert width(swinging) > 3 * width(steady)
    assert width(steady, np.arange(400) // 40) > width(steady)


def test_the_interval_holds_what_the_tree_loses_on_average() -> None:
    random = np.random.default_rng(2)
    regime = Regime(accuracy=0.9, clips=400, seed_sd=0.02, ar=0.05, other=-0.05)
    held, studies, seeds = 0, 15, 3
    for number in range(studies):
        study = Study(regime, random)
        for pair in study.pairs:
            study.train(pair, seeds, seeds)
        for pair in study.pairs:
            samples = [TaskSeeds(task, *study.said(pair, place), None) for task, place in zip(TASKS, pair, strict=True)]
            low, high = summarize_seeds(samples, seeds, study.noise(), seed=number).ar_interval
            held += low <= regime.ar <= high
    assert held / (6 * studies) > 0.88
