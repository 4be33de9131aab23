"""A recorded training answers for other stopping rules exactly as it would have ended under them."""

from dataclasses import replace

import numpy as np
import pytest

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.replay import replay
from taskgraft.evaluators.stopping import Stopping
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.tree import BranchTree

PAIR = BranchTree.flat(["pitch", "shape"], 4, 8)
SCHEDULE = Schedule(15, 8, Optimisation(7e-4))
REFERENCES = {"pitch": 0.9, "shape": 0.9}


def train(data: StudyData, stopping: Stopping | None) -> Measurement:
    trainer = Trainer(PAIR, data, SCHEDULE, 0, REFERENCES, stopping)
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("here")


@pytest.fixture(scope="module")
def whole(tone_data: StudyData) -> Measurement:
    return train(tone_data, None)


def rule(whole: Measurement, threshold: float, *, accepts: bool = True, flat: bool = False) -> Stopping:
    """A rule with baselines that learn as the pair does; ``flat`` ones do not learn any more, so that it gives up."""
    points = [{**point, **(REFERENCES if flat else {})} for point in whole.curve]
    return Stopping(threshold, accepts, dict.fromkeys(REFERENCES, points))


def assert_equal(found: Measurement | None, expected: Measurement) -> None:
    assert found is not None
    for part in ("metrics", "steps", "steps_left", "best_step", "curve"):
        assert getattr(found, part) == getattr(expected, part), part
    for task, said in expected.outcomes.items():
        for column in ("clips", "truth", "predicted", "counts"):
            np.testing.assert_array_equal(getattr(found.outcomes[task].classes, column), getattr(said.classes, column))
    assert [checkpoint.step for checkpoint in found.earlier] == [checkpoint.step for checkpoint in expected.earlier]
    assert found.weights in (None, expected.weights)
    if found.best_step == expected.best_step and not found.is_censored:
        assert found.weights == expected.weights


def reduction(measured: Measurement) -> float:
    return max(1 - value / REFERENCES[task] for task, value in measured.metrics.items())


def test_a_whole_training_answers_every_rule_bit_for_bit(tone_data: StudyData, whole: Measurement) -> None:
    assert not whole.is_censored
    assert len(whole.earlier) >= 2, "the training must improve more than once to be worth this test"
    first = max(1 - whole.curve[2][task] / REFERENCES[task] for task in REFERENCES)
    steps = set()
    for stopping in (
        rule(whole, min(0.99, max(0.0, first))),
        rule(whole, max(0.0, reduction(whole))),
        rule(whole, 0.0, flat=True),
        rule(whole, 0.0, accepts=False),
    ):
        expected = train(tone_data, stopping)
        assert_equal(replay(whole, REFERENCES, stopping), expected)
        steps.add(expected.steps)
    assert len(steps) > 1, "the rules must end the training at different steps"


def test_a_training_that_ended_early_answers_what_would_have_ended_no_later(
    tone_data: StudyData, whole: Measurement
) -> None:
    kept = rule(whole, max(0.0, reduction(whole)))
    measured = train(tone_data, kept)
    assert measured.is_censored
    assert_equal(replay(measured, REFERENCES, kept), measured)
    looser = rule(whole, 0.98)
    assert_equal(replay(measured, REFERENCES, looser), train(tone_data, looser))
    assert replay(measured, REFERENCES, rule(whole, 0.0, accepts=False)) is None
    assert replay(measured, REFERENCES, None) is None
    assert replay(whole, REFERENCES, None) is whole


def test_affinities_are_cut_too_if_it_is_known_what_they_are_means_of(tone_data: StudyData, whole: Measurement) -> None:
    stopping = rule(whole, 0.98)
    trained, expected = (
        Trainer(PAIR, tone_data, SCHEDULE, 0, REFERENCES, one, with_affinities=True) for one in (None, stopping)
    )
    for trainer in (trained, expected):
        while not trainer.finished:
            trainer.advance()
    measured, cut = trained.measurement("here"), expected.measurement("here")
    assert_equal(measured, whole)
    found = replay(measured, REFERENCES, stopping)
    assert_equal(found, cut)
    assert found is not None
    assert found.affinities == cut.affinities != measured.affinities
    assert replay(replace(measured, cosines={}), REFERENCES, stopping) is None
    assert replay(replace(measured, cosines={}), REFERENCES, None) is not None


def test_without_earlier_checkpoints_the_metrics_are_exact(whole: Measurement) -> None:
    stopping = rule(whole, 0.98)
    exact = replay(whole, REFERENCES, stopping)
    found = replay(replace(whole, earlier=()), REFERENCES, stopping)
    assert exact is not None
    assert found is not None
    assert (found.metrics, found.best_step, found.steps) == (exact.metrics, exact.best_step, exact.steps)
