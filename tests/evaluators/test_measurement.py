import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Measurement, Outcomes

NUMBERS = st.integers(0, 2**31 - 1)
CLASSES = st.integers(0, 2**24)


def columns(one: Outcomes) -> list[list[int]]:
    return [part.tolist() for part in (one.classes.clips, one.classes.truth, one.classes.predicted, one.classes.counts)]


@given(st.lists(st.tuples(NUMBERS, CLASSES, CLASSES, NUMBERS)))
def test_outcomes_survive_the_ledger(rows: list[tuple[int, ...]]) -> None:
    table = np.array(rows, np.int32).reshape(-1, 4).T
    given_outcomes = Outcomes.of_classes(*table)
    assert columns(Outcomes.from_text(given_outcomes.to_text())) == columns(given_outcomes)


def test_outcomes_have_columns_of_one_length() -> None:
    with pytest.raises(InvalidInput, match="one length"):
        Outcomes.of_classes(np.zeros(3, np.int32), np.zeros(3, np.int32), np.zeros(2, np.int32), np.zeros(3, np.int32))


def test_outcomes_of_a_thousand_clips_are_a_short_text() -> None:
    random = np.random.default_rng(0)
    answers = random.integers(2, size=(2, 1000)).astype(np.int32)
    text = Outcomes.of_classes(
        np.arange(1000, dtype=np.int32), answers[0], answers[1], np.ones(1000, np.int32)
    ).to_text()
    assert len(text) < 4000


def test_measurement_survives_json_but_for_its_weights() -> None:
    rows = Outcomes.of_classes(*np.ones((4, 2), np.int32))
    measured = Measurement({"a": 0.5}, {"a": rows}, 90, 60, 1.5, "host:1", ({"step": 30, "a": 0.25},), b"weights")
    again = Measurement.from_json(json.loads(json.dumps(measured.to_json())))
    assert (again.metrics, again.steps, again.best_step, again.seconds, again.worker, again.curve) == (
        {"a": 0.5},
        90,
        60,
        1.5,
        "host:1",
        ({"step": 30, "a": 0.25},),
    )
    assert columns(again.outcomes["a"]) == columns(rows)
    assert again.weights is None


def test_a_censored_measurement_stays_one_and_an_old_one_is_none() -> None:
    measured = Measurement({"a": 0.5}, {}, 90, 60, 1.5, "host:1", steps_left=30)
    value = json.loads(json.dumps(measured.to_json()))
    again = Measurement.from_json(value)
    assert (again.is_censored, again.steps, again.planned_steps) == (True, 90, 120)
    del value["steps_left"]
    old = Measurement.from_json(value)
    assert (old.is_censored, old.planned_steps) == (False, 90)
