"""How often verdicts are right, on simulated test splits of models whose true AR is known. Seeds are fixed."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.simulated_verdicts import Delivered, verdicts

from taskgraft.evaluators.paired import PairedBootstrap
from taskgraft.search.study.result import FinalVerdict

Q = 0.02
SPLITS = 200
ALLOWED = 0.05 + 2 * (0.05 * 0.95 / SPLITS) ** 0.5


def share(truth: Delivered, verdict: FinalVerdict, threshold: float = Q) -> float:
    return verdicts(truth, threshold, SPLITS, seed=1)[verdict] / SPLITS


@pytest.mark.parametrize(
    "truth", [Delivered(150), Delivered(750), Delivered(750, 0.9, 0.087), Delivered(750, 0.9, 0.03)]
)
def test_a_model_that_just_breaks_the_threshold_is_rarely_verified(truth: Delivered) -> None:
    assert share(replace(truth, ar=Q), FinalVerdict.VERIFIED) <= ALLOWED
    assert share(replace(truth, ar=1.5 * Q), FinalVerdict.VERIFIED) <= 0.02


def test_a_model_that_keeps_the_threshold_is_rarely_refuted_however_many_tasks_it_has() -> None:
    for tasks in (1, 4):
        assert share(Delivered(500, ar=Q, tasks=tasks), FinalVerdict.REFUTED) <= ALLOWED


def test_a_lossless_model_is_verified_and_a_bad_one_refuted_when_there_are_clips_enough() -> None:
    assert share(Delivered(1000, tasks=2), FinalVerdict.VERIFIED) > 0.85
    assert share(Delivered(1000, ar=3 * Q, tasks=2), FinalVerdict.REFUTED) > 0.9
    assert share(Delivered(100, tasks=2), FinalVerdict.NOT_REFUTED) > 0.9


def test_clips_in_groups_would_be_taken_for_more_than_they_tell() -> None:
    """Without their groups the same clips verify models far too often."""
    truth = Delivered(500, ar=Q, group_size=20, correlation=0.3)
    random, verified = np.random.default_rng(2), np.zeros(2)
    for number in range(SPLITS):
        compared = truth.comparison(truth.draw(Q, random))
        for place, answers in enumerate((compared, replace(compared, groups=None))):
            verified[place] += PairedBootstrap([answers], number, 1000).bounds(0.05, 0.05)[0].upper <= Q
    assert verified[0] / SPLITS <= ALLOWED
    assert verified[1] / SPLITS > 3 * 0.05
