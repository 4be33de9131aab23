"""What those who watch a service are told, on every database."""

import pytest

from taskgraft.search.store import Store
from taskgraft.search.study.dataset import DatasetState, Registered
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import TrialState
from tests.search.store.samples import (
    LONG,
    ME,
    OTHER,
    OVER,
    lease_of,
    make_measurement,
    make_study,
    make_training,
    record,
)


def test_an_empty_database(store: Store) -> None:
    found = store.census()
    assert (found.studies, found.trials, found.datasets) == ({}, {}, {})
    assert (found.training_seconds, found.busy_seconds, found.takeovers, found.runner_silence) == (0, 0, 0, ())


def test_everything_is_counted_by_its_state(store: Store) -> None:
    first, *_ = (make_study(store) for _ in range(3))
    store.acquire_study(first.id, ME, LONG)
    for repeat in range(2):
        record(store, first.id, make_training(repeat), value=0.1)
    record(store, first.id, make_training(2), error="its worker died")
    store.datasets.add("speech", Registered("/data/speech/manifest.csv"), "0" * 64)
    store.record_heartbeat(ME)
    store.record_heartbeat(OTHER)
    found = store.census()
    assert found.studies == {State.QUEUED: 2, State.RUNNING: 1}
    assert found.trials == {TrialState.COMPLETE: 2, TrialState.FAILED: 1}
    assert found.datasets == {DatasetState.CHECKING: 1}
    assert found.training_seconds == pytest.approx(2 * make_measurement().own_seconds, abs=0.01)
    assert len(found.runner_silence) == 2
    assert all(0 <= silence < 60 for silence in found.runner_silence)


def test_takeovers_are_those_from_a_runner_that_did_not_let_go(store: Store) -> None:
    study = make_study(store)
    store.acquire(ME, LONG)
    store.release(lease_of(store, study.id))
    store.acquire(OTHER, LONG)
    assert store.census().takeovers == 0
    store.renew(lease_of(store, study.id), OVER)
    store.acquire_study(study.id, OTHER, OVER)
    assert store.census().takeovers == 0
    store.acquire(ME, OVER)
    assert store.census().takeovers == 1
    store.acquire_study(study.id, OTHER, LONG)
    assert store.census().takeovers == 2
