"""The belief who disturbs whom, and acceptance on a level: simulated, since both are about chances."""

import numpy as np
import pytest

from taskgraft.search.statistics.acceptance import CLIP_NOISE, EFFECT, SEED_NOISE, is_safe, risk
from taskgraft.search.statistics.disturbance import Disturbance, Seen, prior_variances


def together(tasks: int, *members: int) -> np.ndarray:
    shared = np.zeros((tasks, tasks))
    shared[np.ix_(members, members)] = 1.0
    np.fill_diagonal(shared, 0)
    return shared


def test_the_pair_that_explains_a_loss_takes_the_blame_from_the_others() -> None:
    """Task 0 loses beside all, and beside 1 alone, not beside 2 alone."""
    seen = [
        Seen(together(4, 0, 1, 2, 3), (0, 1, 2, 3), (0.06, 0, 0, 0)),
        Seen(together(4, 0, 1), (0, 1), (0.06, 0)),
        Seen(together(4, 0, 2), (0, 2), (0.0, 0)),
    ]
    belief = Disturbance(prior_variances(4, {}), seen, 0.02)
    harmless = belief.harmless([1.0])[:, :, 0]
    assert harmless[0, 1] < harmless[0, 3] < harmless[0, 2]
    assert np.allclose(harmless, harmless.T)
    chances = belief.keeps(np.stack([together(4, 0, 1, 2, 3), together(4, 0, 2, 3), together(4, 2, 3)]))
    assert list(chances) == sorted(chances)


def test_tasks_that_agree_are_less_likely_to_disturb_each_other() -> None:
    variances = prior_variances(3, {(0, 1): 0.5, (0, 2): -0.2, (1, 2): 0.1})
    assert variances[0, 2] > variances[1, 2] > variances[0, 1] == variances[1, 0]
    assert np.all(np.diag(variances) == 0)


def test_nothing_known_leaves_the_prior() -> None:
    belief = Disturbance(prior_variances(3, {}), [], 0.02)
    assert np.all(belief.harmless([0.5, 1.0])[..., 0] >= belief.harmless([0.5, 1.0])[..., 1])


def test_risk_is_how_often_such_a_task_truly_loses_more() -> None:
    chance = np.random.default_rng(0)
    truth = chance.normal(0, EFFECT, 400_000)
    measured = truth + chance.normal(0, np.sqrt(CLIP_NOISE**2 + 2 * SEED_NOISE**2), len(truth))
    for lost in (0.0, 0.01, 0.018):
        near = np.abs(measured - lost) < 0.001
        assert risk(lost, 0.02, 0.9, 1) == pytest.approx(float(np.mean(truth[near] > 0.02)), abs=0.005)


def test_a_task_that_is_always_right_leaves_no_noise() -> None:
    assert risk(0.02, 0.02, 1.0, 1) == 0
    assert risk(0.0201, 0.02, 1.0, 1) == 1
    assert not is_safe([0.02, 0.0], 2, 8)
    assert is_safe([0.01, 0.0], 2, 8)
