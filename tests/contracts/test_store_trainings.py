"""Finished trainings by digest, on every database: what is kept, what is found, what vanishes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from taskgraft.errors import InvalidInput, NotFound
from taskgraft.evaluators.measurement import Checkpoint
from taskgraft.search.store import KeptTraining, Store
from taskgraft.search.study.trial import Training
from tests.search.store.samples import (
    lease_of,
    make_measurement,
    make_outcomes,
    make_spec,
    make_study,
    make_training,
    record,
)

DIGEST = "0123456789abcdef" * 4


def kept(study_id: str, steps_left: int = 0, training: Training | None = None, digest: str = DIGEST) -> KeptTraining:
    earlier = (Checkpoint(100, {"age": 0.5, "gender": 0.25}, {"age": make_outcomes(9), "gender": make_outcomes(9, 1)}),)
    measured = replace(make_measurement(), steps_left=steps_left, earlier=earlier, weights=b"not for a database")
    return KeptTraining(study_id, digest, study_id, training or make_training(), measured)


def keep(store: Store, one: KeptTraining) -> None:
    store.trainings.keep(lease_of(store, one.study_id), one)


def test_a_training_is_read_back_with_its_earlier_checkpoints(url: str, store: Store) -> None:
    study = make_study(store)
    keep(store, kept(study.id, training=Training(make_training().tree, 3, is_probe=True)))
    with Store(url) as other:
        (found,) = other.trainings.find(DIGEST)
    expected = kept(study.id)
    assert (found.study_id, found.origin, found.digest) == (study.id, study.id, DIGEST)
    assert found.training == Training(make_training().tree, 3, is_probe=True)
    assert found.measurement.to_json() == expected.measurement.to_json()
    assert found.measurement.weights is None
    (checkpoint,), (known,) = found.measurement.earlier, expected.measurement.earlier
    assert (checkpoint.step, checkpoint.metrics) == (known.step, known.metrics)
    for task, said in known.outcomes.items():
        np.testing.assert_array_equal(checkpoint.outcomes[task].classes.predicted, said.classes.predicted)


def test_what_was_taken_furthest_comes_first(store: Store) -> None:
    ids = [make_study(store).id for _ in range(4)]
    for study_id, left in zip(ids, (30, 0, 60, 0), strict=True):
        keep(store, kept(study_id, left))
    keep(store, kept(ids[0], digest="f" * 64))
    assert [one.study_id for one in store.trainings.find(DIGEST)] == [ids[1], ids[3], ids[0], ids[2]]
    assert store.trainings.find("0" * 64) == ()


def test_a_study_keeps_of_each_training_the_one_that_went_furthest(store: Store) -> None:
    study = make_study(store)
    for repeat, left in enumerate((60, 20, 40, 20)):
        keep(store, kept(study.id, left, make_training(repeat)))
    (found,) = store.trainings.find(DIGEST)
    assert (found.measurement.steps_left, found.training.repeat) == (20, 3)


def test_threads_may_keep_the_same_training(store: Store) -> None:
    study = make_study(store)
    lease = lease_of(store, study.id)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda left: store.trainings.keep(lease, kept(study.id, left)), range(8)))
    assert [one.measurement.steps_left for one in store.trainings.find(DIGEST)] == [0]


def test_trainings_vanish_with_the_study_that_keeps_them(store: Store) -> None:
    first, second = make_study(store), make_study(store)
    lease = lease_of(store, first.id)
    keep(store, kept(first.id))
    keep(store, replace(kept(second.id), origin=first.id))
    store.delete_study(first.id)
    assert [(one.study_id, one.origin) for one in store.trainings.find(DIGEST)] == [(second.id, first.id)]
    with pytest.raises(NotFound):
        store.trainings.keep(lease, kept(first.id))
    store.delete_study(second.id)
    assert store.trainings.find(DIGEST) == ()


def test_a_trial_says_where_it_was_taken_over_from(url: str, store: Store) -> None:
    study = make_study(store)
    record(store, study.id, make_training(0), taken_over_from="0123456789abcdef")
    record(store, study.id, make_training(1))
    with Store(url) as other:
        trials = other.ledger(study.id).trials()
    assert [trial.taken_over_from for trial in trials] == ["0123456789abcdef", None]


def test_a_study_names_its_parent_and_outlives_it(store: Store) -> None:
    parent = make_study(store)
    child, is_new = store.create_study(make_spec(), parent=parent.id, idempotency_key="child")
    assert (is_new, child.parent, parent.parent) == (True, parent.id, None)
    assert store.create_study(make_spec(), parent=parent.id, idempotency_key="child") == (child, False)
    with pytest.raises(InvalidInput, match="Idempotency-Key"):
        store.create_study(make_spec(), idempotency_key="child")
    store.delete_study(parent.id)
    assert store.get_study(child.id).parent == parent.id
