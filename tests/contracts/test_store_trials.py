"""Pages of trials, on every database: each trial once and in order, whatever is recorded meanwhile."""

from dataclasses import replace

import numpy as np
import optuna
import pytest

from taskgraft.errors import InvalidInput, NotFound
from taskgraft.search.store import Store
from taskgraft.search.store.urls import parse_url
from taskgraft.search.study.trial import Training, Trial, TrialState
from tests.search.store.samples import lease_of, make_measurement, make_study, make_training


def record(store: Store, study_id: str, training: Training) -> Trial:
    measured = make_measurement(training.tasks)
    return store.ledger(study_id).record(
        lease_of(store, study_id), training, 7, TrialState.COMPLETE, measured, value=0.0
    )


def pages(store: Store, study_id: str, limit: int) -> list[int]:
    numbers: list[int] = []
    after: int | None = -1
    while after is not None:
        page = store.trials.page(study_id, after, limit)
        numbers += [trial.number for trial in page.items]
        after = page.next_after
    return numbers


def test_a_study_without_trials_has_one_empty_page(store: Store) -> None:
    page = store.trials.page(make_study(store).id)
    assert (page.items, page.baselines, page.next_after) == ((), {}, None)


def test_a_page_says_what_the_ledger_says_but_for_outcomes(url: str, store: Store) -> None:
    study = make_study(store)
    ledger = store.ledger(study.id)
    record(store, study.id, make_training())
    ledger.record(lease_of(store, study.id), make_training(1), 2**53 - 1, TrialState.FAILED, error="why \x00 \ud800")
    probe = Training(make_training().tree, 2, is_probe=True, epochs=5)
    ledger.record(
        lease_of(store, study.id), probe, 3, TrialState.COMPLETE, make_measurement(), taken_over_from="another"
    )
    with Store(url) as other:
        found, expected = store.trials.page(study.id).items, other.ledger(study.id).trials()
    assert len(found) == 3
    for one, whole in zip(found, expected, strict=True):
        assert replace(one, measurement=None) == replace(whole, measurement=None)
        if whole.measurement:
            assert one.measurement
            assert one.measurement.to_json() == {**whole.measurement.to_json(), "outcomes": {}}


@pytest.mark.parametrize("limit", [1, 3, 500])
def test_pages_hold_every_trial_once_while_trials_are_added(url: str, store: Store, limit: int) -> None:
    study = make_study(store)
    numbers: list[int] = []
    after, repeat = -1, 0
    with Store(url) as reader:
        while True:
            for _ in range(2 if repeat < 8 else 0):
                record(store, study.id, make_training(repeat))
                repeat += 1
            page = reader.trials.page(study.id, after, limit)
            numbers += [trial.number for trial in page.items]
            after = numbers[-1]
            if repeat == 8 and page.next_after is None:
                break
        assert numbers == list(range(8))
        assert pages(reader, study.id, limit) == numbers
        assert reader.trials.count(study.id) == 8


def test_baselines_are_those_of_the_same_repeat_and_length_whatever_page_they_are_on(store: Store) -> None:
    study = make_study(store)
    for training in (
        make_training(0),
        make_training(0, ("age",), 8),
        make_training(1, ("gender",), 8),
        replace(make_training(0, ("gender",), 8), recipe="seed-emotion"),
        replace(make_training(0, ("gender",), 8), epochs=5),
    ):
        record(store, study.id, training)
    assert store.trials.page(study.id, limit=1).baselines == {
        (0, None): {"age": 0.875},
        (1, None): {"gender": 0.875},
        (0, 5): {"gender": 0.875},
    }


def test_a_training_that_was_recorded_twice_is_shown_once(url: str, store: Store) -> None:
    """As two processes may have done that both believed to hold the lease."""
    study = make_study(store)
    record(store, study.id, make_training(0))
    storage = optuna.storages.RDBStorage(parse_url(url).render_as_string(hide_password=False))
    number = storage.get_study_id_from_name(f"study/{study.id}")
    storage.create_new_trial(number, storage.get_all_trials(number)[0])
    storage.remove_session()
    storage.engine.dispose()
    record(store, study.id, make_training(1))
    assert pages(store, study.id, 1) == [0, 2]
    assert store.trials.count(study.id) == len(store.ledger(study.id).trials()) == 2
    with pytest.raises(NotFound):
        store.trials.get(study.id, 1)


def test_one_trial_has_its_outcomes(store: Store) -> None:
    study = make_study(store)
    record(store, study.id, make_training(0))
    record(store, study.id, make_training(1))
    trial, _ = store.trials.get(study.id, 1)
    assert (trial.number, trial.training) == (1, make_training(1))
    assert trial.measurement
    said = make_measurement().outcomes["gender"].classes.predicted
    np.testing.assert_array_equal(trial.measurement.outcomes["gender"].classes.predicted, said)
    for number in (-1, 2, 10**9):
        with pytest.raises(NotFound):
            store.trials.get(study.id, number)


def test_a_study_that_was_deleted_lends_its_trials_to_no_other(store: Store) -> None:
    """SQLite gives the numbers of deleted rows to the next ones."""
    study = make_study(store)
    record(store, study.id, make_training(0))
    assert store.trials.count(study.id) == 1
    store.delete_study(study.id)
    other = make_study(store)
    record(store, other.id, make_training(5))
    assert pages(store, study.id, 10) == []
    assert store.trials.page(other.id).items[0].training == make_training(5)


@pytest.mark.parametrize("limit", [0, 501, -1])
def test_a_page_has_1_to_500_trials(store: Store, limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        store.trials.page(make_study(store).id, limit=limit)
