"""The ledger, on every database: what a study's trainings ended with."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState as OptunaState

from taskgraft.errors import InvalidInput, NotFound
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.store import Ledger, Store
from taskgraft.search.store.urls import parse_url
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Training, TrialState
from taskgraft.space.tree import BranchTree
from tests.contracts.store_workers import CONTEXT, die_while_recording, record_for_ever
from tests.search.store.samples import TASKS, lease_of, make_measurement, make_spec, make_study, make_training, record


@pytest.fixture
def study(store: Store) -> Study:
    return make_study(store)


@pytest.fixture
def ledger(store: Store, study: Study) -> Ledger:
    return store.ledger(study.id)


@pytest.fixture
def lease(store: Store, study: Study) -> Lease:
    return lease_of(store, study.id)


def complete(ledger: Ledger, lease: Lease, training: Training, value: float | None = None) -> int:
    measured = make_measurement(training.tasks)
    return ledger.record(lease, training, 7, TrialState.COMPLETE, measured, value=value).number


def assert_equal(found: Measurement | None, expected: Measurement) -> None:
    assert found is not None
    assert (found.metrics, found.curve, found.seconds) == (expected.metrics, expected.curve, expected.seconds)
    assert (found.steps, found.best_step, found.worker) == (expected.steps, expected.best_step, expected.worker)
    assert list(found.outcomes) == list(expected.outcomes)
    for task, outcomes in expected.outcomes.items():
        for column in ("clips", "truth", "predicted", "counts"):
            np.testing.assert_array_equal(
                getattr(found.outcomes[task].classes, column), getattr(outcomes.classes, column)
            )


def open_with_optuna(url: str, study: Study, part: str = "") -> list[optuna.trial.FrozenTrial]:
    """The trials as any program that uses Optuna reads them."""
    storage = optuna.storages.RDBStorage(
        parse_url(url).render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    )
    try:
        return optuna.load_study(study_name=f"study/{study.id}{part}", storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()


class TestRecord:
    def test_a_new_ledger_is_empty(self, ledger: Ledger) -> None:
        assert ledger.trials() == ()
        assert ledger.trial_count() == 0

    def test_a_measurement_is_read_back_bit_by_bit(self, url: str, study: Study, ledger: Ledger, lease: Lease) -> None:
        measured = make_measurement(clips=10_000)
        assert len(measured.outcomes["age"].to_text()) > 80_000
        recorded = ledger.record(lease, make_training(), 2**53 - 1, TrialState.COMPLETE, measured, value=0.01)
        assert_equal(recorded.measurement, measured)
        with Store(url) as other:
            (found,) = other.ledger(study.id).trials()
        assert (found.number, found.training, found.seed) == (0, make_training(), 2**53 - 1)
        assert (found.state, found.error) == (TrialState.COMPLETE, None)
        assert_equal(found.measurement, measured)

    def test_a_failure_keeps_its_reason(self, ledger: Ledger, lease: Lease) -> None:
        error = "out of memory \x00 \ud800 Ωμέγα"
        trial = ledger.record(lease, make_training(), 1, TrialState.FAILED, error=error)
        assert (trial.state, trial.error, trial.measurement) == (TrialState.FAILED, error, None)

    def test_trials_keep_the_order_of_recording(self, ledger: Ledger, lease: Lease) -> None:
        trainings = [make_training(repeat) for repeat in (3, 1, 2)] + [make_training(0, ("command",), 8)]
        for training in trainings:
            complete(ledger, lease, training)
        assert [trial.training for trial in ledger.trials()] == trainings
        assert [trial.number for trial in ledger.trials()] == [0, 1, 2, 3]
        assert ledger.trial_count() == 4

    def test_the_same_training_is_recorded_once(self, ledger: Ledger, lease: Lease) -> None:
        first = ledger.record(lease, make_training(), 7, TrialState.COMPLETE, make_measurement(seed=1))
        again = ledger.record(lease, make_training(), 8, TrialState.FAILED, error="other")
        assert again == first
        assert ledger.trial_count() == 1

    def test_threads_that_race_record_a_training_once(self, ledger: Ledger, lease: Lease) -> None:
        trainings = [make_training(number % 3) for number in range(12)]
        with ThreadPoolExecutor(4) as pool:
            numbers = list(pool.map(lambda training: complete(ledger, lease, training), trainings))
        assert numbers[:3] == numbers[3:6] == numbers[6:9] == numbers[9:]
        assert ledger.trial_count() == 3

    def test_of_two_writers_the_first_counts(self, url: str, study: Study, ledger: Ledger, lease: Lease) -> None:
        """Two processes that believe to hold the lease: neither sees the other's trial before it writes its own."""
        complete(ledger, lease, make_training(0))
        (entry,) = open_with_optuna(url, study)
        storage = optuna.storages.RDBStorage(parse_url(url).render_as_string(hide_password=False))
        storage.create_new_trial(storage.get_study_id_from_name(f"study/{study.id}"), entry)
        storage.engine.dispose()
        complete(ledger, lease, make_training(1))
        assert [(trial.number, trial.training.repeat) for trial in ledger.trials()] == [(0, 0), (2, 1)]
        assert ledger.trial_count() == 2

    def test_every_broken_rule_is_named_at_once(self, ledger: Ledger, lease: Lease) -> None:
        with pytest.raises(InvalidInput) as caught:
            ledger.record(lease, make_training(tasks=("age", "mood")), -1, TrialState.COMPLETE, value=float("nan"))
        assert [fault.where for fault in caught.value.faults] == ["seed", "training", "state", "value"]
        assert ledger.trials() == ()

    def test_a_failed_trial_has_no_measurement(self, ledger: Ledger, lease: Lease) -> None:
        with pytest.raises(InvalidInput, match="state: a complete trial has a measurement"):
            ledger.record(lease, make_training(), 1, TrialState.FAILED, make_measurement(), "both")

    def test_a_deleted_study_takes_no_trial_and_comes_back_with_none(
        self, store: Store, study: Study, lease: Lease
    ) -> None:
        ledger = store.ledger(study.id)
        store.delete_study(study.id)
        for _ in range(2):
            with pytest.raises(NotFound):
                complete(ledger, lease, make_training())
        assert ledger.trials() == ()

    def test_a_deleted_ledger_takes_no_trial_either(
        self, url: str, store: Store, study: Study, ledger: Ledger, lease: Lease
    ) -> None:
        complete(ledger, lease, make_training(0))
        store.delete_study(study.id)
        record(store, make_study(store).id)
        with pytest.raises(NotFound):
            complete(ledger, lease, make_training(1))
        assert ledger.trials() == ()
        with pytest.raises(KeyError):
            open_with_optuna(url, study)


class TestReading:
    def test_another_process_sees_each_new_trial(self, url: str, study: Study, ledger: Ledger, lease: Lease) -> None:
        with Store(url) as other:
            reader = other.ledger(study.id)
            for repeat in range(3):
                complete(ledger, lease, make_training(repeat))
                assert [trial.number for trial in reader.trials()] == list(range(repeat + 1))

    def test_what_was_read_is_not_read_again(self, ledger: Ledger, lease: Lease) -> None:
        complete(ledger, lease, make_training(0))
        before = ledger.trials()
        complete(ledger, lease, make_training(1))
        assert ledger.trials()[0] is before[0]

    def test_many_studies_keep_their_ledgers_apart(self, store: Store) -> None:
        ids = [make_study(store).id for _ in range(10)]
        for repeat, study_id in enumerate(ids):
            record(store, study_id, make_training(repeat))
        for repeat, study_id in enumerate(ids):
            assert [trial.training.repeat for trial in store.ledger(study_id).trials()] == [repeat]


class TestOptunaSide:
    def test_parameters_and_values_are_for_dashboards(
        self, url: str, study: Study, ledger: Ledger, lease: Lease
    ) -> None:
        complete(ledger, lease, make_training(0, ("age",), 8))
        complete(ledger, lease, make_training(1, ("age", "gender"), 5), 0.0125)
        complete(ledger, lease, make_training(2, TASKS, 6), 0.5)
        ledger.record(lease, make_training(3), 9, TrialState.FAILED, error="why")
        entries = open_with_optuna(url, study)
        assert [entry.params for entry in entries] == [
            {"task_a": "age", "task_b": "gender", "depth": 5, "repeat": 1, "seed": 7},
            {"task_a": None, "task_b": None, "depth": 6, "repeat": 2, "seed": 7},
            {"task_a": "age", "task_b": "gender", "depth": 5, "repeat": 3, "seed": 9},
        ]
        assert [entry.values for entry in entries] == [[0.0125], [0.5], None]
        assert [entry.state for entry in entries] == [OptunaState.COMPLETE] * 2 + [OptunaState.FAIL]
        assert [entry.intermediate_values for entry in entries] == [{100: 0.5, 200: 0.75}] * 2 + [{}]
        assert entries[0].user_attrs == {
            "trial": 1,
            "kind": "pair",
            "tasks": "age, gender",
            "metric of age": 0.875,
            "metric of gender": 0.890625,
            "steps": 300,
            "best_step": 250,
            "stopped_early": False,
            "seconds": 12.5,
            "worker": "host:1234",
        }
        assert entries[2].user_attrs["error"] == "why"
        duration = entries[0].duration
        assert duration is not None
        assert duration.total_seconds() == pytest.approx(12.5)

    def test_what_has_no_reduction_lies_apart(self, url: str, study: Study, ledger: Ledger, lease: Lease) -> None:
        trunk = Training(BranchTree.flat(TASKS, 8, 8), is_trunk=True)
        for training in (make_training(0, ("age",), 8), trunk, make_training(), make_training(1, ("age",), 8)):
            complete(ledger, lease, training, 0.25)
        assert [trial.number for trial in ledger.trials()] == [0, 1, 2, 3]
        (pair,) = open_with_optuna(url, study)
        assert (pair.value, pair.user_attrs["trial"]) == (0.25, 2)
        apart = open_with_optuna(url, study, "/baselines")
        assert [(entry.user_attrs["trial"], entry.user_attrs["kind"]) for entry in apart] == [
            (0, "baseline"),
            (1, "trunk"),
            (3, "baseline"),
        ]
        assert [entry.value for entry in apart] == [0.875, 0.890625, 0.875]

    def test_curves_have_no_point_that_is_not_finite(
        self, url: str, study: Study, ledger: Ledger, lease: Lease
    ) -> None:
        curve = ({"step": 1.0, "age": float("nan")}, {"step": 2.0, "age": 0.5, "gender": float("inf")}, {"step": 3.0})
        measured = replace(make_measurement(), curve=curve)
        ledger.record(lease, make_training(), 7, TrialState.COMPLETE, measured)
        (entry,) = open_with_optuna(url, study)
        assert entry.intermediate_values == {2: 0.5}
        assert str((ledger.trials()[0].measurement or measured).curve) == str(curve)

    def test_a_study_of_one_task(self, store: Store) -> None:
        study, _ = store.create_study(make_spec(tasks=("age",)))
        assert record(store, study.id, make_training(0, ("age",), 8)).number == 0


class TestKilled:
    @pytest.mark.parametrize(
        "moment", ["INSERT INTO trials", "UPDATE trials", "INSERT INTO trial_user", "INSERT INTO trial_inter", "COMMIT"]
    )
    def test_inside_a_record_it_leaves_nothing_of_it(self, url: str, store: Store, study: Study, moment: str) -> None:
        process = CONTEXT.Process(target=die_while_recording, args=(url, study.id, 2, moment))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert store.ledger(study.id).trial_count() == 2
        self.check(url, store, study, 2)

    def test_at_any_time_no_acknowledged_trial_is_lost(self, url: str, store: Store, study: Study) -> None:
        done = CONTEXT.SimpleQueue()
        process = CONTEXT.Process(target=record_for_ever, args=(url, study.id, done))
        process.start()
        acknowledged = [done.get() for _ in range(6)][-1] + 1
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        while not done.empty():
            acknowledged = done.get() + 1
        self.check(url, store, study, acknowledged)

    @staticmethod
    def check(url: str, store: Store, study: Study, acknowledged: int) -> None:
        ledger = store.ledger(study.id)
        trials = ledger.trials()
        assert acknowledged <= len(trials) <= acknowledged + 1
        for trial in trials:
            assert_equal(trial.measurement, make_measurement())
        assert {entry.state for entry in open_with_optuna(url, study)} == {OptunaState.COMPLETE}
        record(store, study.id, make_training(1000))
        assert ledger.trial_count() == len(trials) + 1
