"""Models that start from one trunk, held against trainings from scratch."""

import pytest
from benchmarks.shared_start import Loss, Trainings

from taskgraft.space.tree import BranchTree


def trainings(pair_metrics: tuple[float, float], alone: float = 0.8) -> Trainings:
    """Return two seeds of two baselines and one pair; ``pair_metrics`` are those of task a by seed, b loses nothing."""
    pair, a, b = (BranchTree.flat(tasks, 8, 8) for tasks in (("a", "b"), ("a",), ("b",)))
    found = {(pair, seed): {"a": metric, "b": 0.5} for seed, metric in enumerate(pair_metrics)}
    return Trainings(found | {(a, seed): {"a": alone} for seed in (0, 1)} | {(b, seed): {"b": 0.5} for seed in (0, 1)})


def test_losses_are_those_of_the_mean_and_seeds_are_held_against_the_others() -> None:
    models = trainings((0.8, 0.72))
    loss = Loss.of(models, models, models, threshold=0.02)
    assert loss.ar == pytest.approx(0.05)
    assert loss.largest == pytest.approx(0.05)
    assert loss.spread == pytest.approx((0.1**2 / 2 / 2) ** 0.5)  # task a differs by 0.1, task b by nothing
    assert loss.right == 0.0
    assert loss.wrongly_kept == 0.5


def test_baselines_of_the_own_start_may_hide_what_is_lost() -> None:
    scratch, shared = trainings((0.8, 0.8)), trainings((0.72, 0.72), alone=0.72)
    assert Loss.of(shared, shared, scratch, threshold=0.02).ar == 0.0
    loss = Loss.of(shared, scratch, scratch, threshold=0.02)
    assert loss.ar == pytest.approx(0.1)
    assert Loss.of(shared, shared, scratch, threshold=0.02).wrongly_kept == 1.0
    assert loss.wrongly_kept == 0.0
