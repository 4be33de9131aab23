"""What a runner that lost its study can still do, on every database: nothing."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.exc import IntegrityError

from taskgraft.errors import LeaseLost, NotFound
from taskgraft.search.store import KeptTraining, Store
from taskgraft.search.store import ledger as ledgers
from taskgraft.search.store.tables import trials
from taskgraft.search.study.lease import Held, Lease
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import RunningTrial
from taskgraft.search.study.trial import TrialState
from tests.contracts.store_workers import race, record_the_same
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

RUNNING = [RunningTrial(("age",), 8, 0, 0.5, 1.0, "host:1")]


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        names = inspect(connection).get_table_names()
        found = {
            name: sorted((tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')), key=repr)
            for name in names
        }
    engine.dispose()
    return found


def taken(held: Held | None) -> Held:
    assert held is not None
    return held


WRITES: dict[str, Callable[[Store, Lease], object]] = {
    "renew": lambda store, lease: store.renew(lease, LONG, stage=Stage.PAIRS, running=RUNNING),
    "set_facts": lambda store, lease: store.set_facts(lease, {"device": "abacus"}),
    "finish": lambda store, lease: store.finish(lease, State.SUCCEEDED),
    "release": lambda store, lease: store.release(lease),
    "check": lambda store, lease: store.check(lease),
    "complete": lambda store, lease: store.ledger(lease.study_id).record(
        lease, make_training(1), 7, TrialState.COMPLETE, make_measurement()
    ),
    "failed": lambda store, lease: store.ledger(lease.study_id).record(
        lease, make_training(1), 7, TrialState.FAILED, error="I was asleep"
    ),
    "the same again": lambda store, lease: store.ledger(lease.study_id).record(
        lease, make_training(0), 7, TrialState.FAILED, error="I was asleep"
    ),
    "keep": lambda store, lease: store.trainings.keep(
        lease, KeptTraining(lease.study_id, "f" * 64, lease.study_id, make_training(), make_measurement())
    ),
}


class TestEpochs:
    def test_every_taking_raises_the_epoch(self, store: Store) -> None:
        study = make_study(store)
        assert store.acquire_study(study.id, ME, LONG).lease == Lease(study.id, ME, 1)
        again = store.acquire_study(study.id, ME, OVER).lease
        assert again == Lease(study.id, ME, 2)
        third = taken(store.acquire(OTHER, LONG)).lease
        assert third == Lease(study.id, OTHER, 3)
        store.release(third)
        assert taken(store.acquire(ME, LONG)).lease == Lease(study.id, ME, 4)

    def test_a_lease_has_an_epoch(self) -> None:
        with pytest.raises(ValueError, match="epoch 1; got 0"):
            Lease("id", ME, 0)


class TestZombies:
    @pytest.fixture(params=["taken by another", "taken again under the same name", "let go", "paused", "ended"])
    def zombie(self, request: pytest.FixtureRequest, store: Store) -> Lease:
        """The lease of a runner that has lost its study, which has one trial."""
        study = make_study(store)
        lease = store.acquire_study(study.id, ME, OVER).lease
        store.ledger(study.id).record(lease, make_training(0), 1, TrialState.COMPLETE, make_measurement())
        if request.param == "taken by another":
            taken(store.acquire(OTHER, LONG))
        elif request.param == "taken again under the same name":
            store.acquire_study(study.id, ME, LONG)
        elif request.param == "let go":
            store.release(lease)
        else:
            store.finish(lease, State.PAUSED if request.param == "paused" else State.SUCCEEDED)
        return lease

    def test_no_write_of_one_changes_anything(self, url: str, store: Store, zombie: Lease) -> None:
        before = rows(url)
        for name, write in WRITES.items():
            with pytest.raises(LeaseLost, match=f"{ME} no longer holds it"):
                write(store, zombie)
            assert rows(url) == before, name

    def test_the_holder_may_write_all_of_it(self, store: Store, zombie: Lease) -> None:
        if store.get_study(zombie.study_id).state is State.SUCCEEDED:
            return
        holder = store.acquire_study(zombie.study_id, lease_of(store, zombie.study_id).owner, LONG).lease
        for name, write in WRITES.items():
            if name not in {"finish", "release"}:
                write(store, holder)
        assert [trial.state for trial in store.ledger(holder.study_id).trials()] == [TrialState.COMPLETE] * 2
        assert store.finish(holder, State.SUCCEEDED).state is State.SUCCEEDED

    def test_one_whose_study_was_deleted_brings_nothing_back(self, url: str, store: Store) -> None:
        study = make_study(store)
        lease = store.acquire_study(study.id, ME, LONG).lease
        store.pause_study(study.id)
        store.delete_study(study.id)
        before = rows(url)
        for name, write in WRITES.items():
            if name == "the same again":
                continue
            with pytest.raises(NotFound):
                write(store, lease)
            assert rows(url) == before, name

    def test_a_lease_is_of_no_use_for_another_study(self, store: Store) -> None:
        first, second = make_study(store), make_study(store)
        lease = lease_of(store, first.id)
        with pytest.raises(ValueError, match=f"the lease is one of study {first.id}"):
            store.ledger(second.id).record(lease, make_training(), 1, TrialState.FAILED, error="why")
        kept = KeptTraining(second.id, "f" * 64, first.id, make_training(), make_measurement())
        with pytest.raises(ValueError, match=f"the lease is one of study {first.id}"):
            store.trainings.keep(lease, kept)

    def test_a_taking_waits_for_the_write_under_way(
        self, url: str, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The lease is checked and the trial written in one transaction: nobody comes in between."""
        study = make_study(store)
        lease = store.acquire_study(study.id, ME, OVER).lease
        within, order = vars(ledgers)["write_entry"], list[str]()
        with ThreadPoolExecutor() as pool, Store(url) as other:

            def take() -> Lease:
                held = other.acquire_study(study.id, OTHER, LONG)
                order.append("taken")
                return held.lease

            def slowly(*given: object, **said: object) -> object:
                future.append(pool.submit(take))
                time.sleep(0.5)
                order.append("written")
                return within(*given, **said)

            future: list[object] = []
            monkeypatch.setattr(ledgers, "write_entry", slowly)
            store.ledger(study.id).record(lease, make_training(), 1, TrialState.COMPLETE, make_measurement())
        assert order == ["written", "taken"]
        assert store.ledger(study.id).trial_count() == 1


class TestWriters:
    def test_six_that_believe_to_hold_a_study_leave_one_trial(self, url: str, store: Store) -> None:
        study = make_study(store)
        lease = store.acquire_study(study.id, ME, LONG).lease
        numbers = race(record_the_same, url, lease, processes=6)
        assert numbers == [0] * 6
        found = rows(url)
        assert [len(found[name]) for name in ("trials", "taskgraft_trials", "studies")] == [1, 1, 2]
        assert store.ledger(study.id).trial_count() == 1

    def test_the_database_itself_refuses_a_second_one(self, store: Store) -> None:
        study = make_study(store)
        record(store, study.id)
        with store._database.begin() as connection:
            (note,) = connection.execute(select(trials)).all()
        with pytest.raises(IntegrityError), store._database._engine.begin() as connection:
            connection.execute(trials.insert().values(study_id=note.study_id, digest=note.digest))

    def test_a_trial_from_before_there_were_notes_is_not_written_again(self, store: Store) -> None:
        study = make_study(store)
        first = record(store, study.id)
        with store._database.begin() as connection:
            connection.execute(trials.delete())
        assert record(store, study.id, error="why") == first
        assert store.ledger(study.id).trial_count() == 1

    def test_what_fails_inside_leaves_neither_a_trial_nor_a_note(
        self, url: str, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        study = make_study(store)
        lease = store.acquire_study(study.id, ME, LONG).lease
        before = rows(url)

        write = vars(ledgers)["write_entry"]

        def fail(*given: object, **said: object) -> None:
            write(*given, **said)
            raise RuntimeError("no more power")

        with monkeypatch.context() as patch:
            patch.setattr(ledgers, "write_entry", fail)
            with pytest.raises(RuntimeError):
                store.ledger(study.id).record(lease, make_training(), 1, TrialState.FAILED, error="why")
        assert rows(url) == before
        assert record(store, study.id).number == 0


class TestClock:
    @pytest.fixture(params=[-3600.0, 30.0, 3600.0])
    def _other_clock(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """This machine's clock is wrong."""
        right = time.time
        monkeypatch.setattr(time, "time", lambda: right() + request.param)
        monkeypatch.setattr(time, "time_ns", lambda: int((right() + request.param) * 1e9))

    @pytest.mark.usefixtures("_other_clock")
    def test_a_live_lease_is_not_stolen_by_a_machine_whose_clock_is_ahead(self, store: Store) -> None:
        study = make_study(store)
        store.acquire_study(study.id, ME, 20.0)
        assert store.acquire(OTHER, LONG) is None
        store.renew(lease_of(store, study.id), OVER)
        assert taken(store.acquire(OTHER, LONG)).lease == Lease(study.id, OTHER, 2)

    @pytest.mark.usefixtures("_other_clock")
    def test_signs_of_life_are_told_by_the_same_clock(self, store: Store) -> None:
        assert store.runner_silence() is None
        store.record_heartbeat(ME)
        silence = store.runner_silence()
        assert silence is not None
        assert 0 <= silence.total_seconds() < 20


class TestRunningTrials:
    def test_a_runner_that_died_trains_nothing_any_more(self, store: Store) -> None:
        study = make_study(store)
        lease = store.acquire_study(study.id, ME, LONG).lease
        store.renew(lease, LONG, stage=Stage.PAIRS, running=RUNNING)
        assert store.get_study(study.id).running == tuple(RUNNING)
        store.renew(lease, OVER)
        for found in (store.get_study(study.id), *store.list_studies().items):
            assert (found.state, found.stage, found.running) == (State.RUNNING, Stage.PAIRS, ())
        store.renew(lease, LONG)
        assert store.get_study(study.id).running == tuple(RUNNING)
