"""A database that is away for a while: what a runner has trained waits for it, and nothing is trained twice."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import make_url

from taskgraft.errors import Conflict, LeaseLost, Unavailable
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.lease import LeaseKeeper
from taskgraft.search.running.patience import Patience
from taskgraft.search.running.records import Records
from taskgraft.search.running.reuse import Reuse
from taskgraft.search.store import DatabaseAway, Store, sqlite_url
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import TrialState
from tests.postgres import postgres_server
from tests.search.curves import CurveWorld
from tests.search.running.test_reuse import digest_of
from tests.search.store.samples import LONG, ME, OTHER, OVER, make_measurement, make_study, make_training
from tests.search.worlds import make_spec


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(f"{sqlite_url(path)}?timeout=0.05") as store:
        yield store


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program has locked the file."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


@contextmanager
def locked_for(path: Path, seconds: float) -> Iterator[None]:
    """Locked until some seconds later, while the block goes on."""
    held, over = threading.Event(), threading.Timer(seconds, lambda: None)

    def hold() -> None:
        with locked(path):
            held.set()
            over.join()

    over.start()
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        yield
    finally:
        holder.join()


def test_it_asks_again_until_it_is_done(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[object] = [DatabaseAway("away"), DatabaseAway("still away"), "done"]

    def act() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert Patience().insist(act) == "done"
    assert "still away; it is asked again in 0.2 s" in caplog.text


@pytest.mark.parametrize(
    "error", [Unavailable("the disk is full"), LeaseLost("gone"), Conflict("no"), ValueError("no")]
)
def test_what_time_does_not_cure_is_raised_at_once(error: Exception) -> None:
    def act() -> None:
        raise error

    with pytest.raises(type(error)):
        Patience().insist(act)


def test_it_ends_when_the_work_is_to_stop() -> None:
    stop = threading.Event()
    calls = []

    def act() -> None:
        calls.append(1)
        if len(calls) == 2:
            stop.set()
        raise DatabaseAway("away")

    with pytest.raises(DatabaseAway):
        Patience(stop).insist(act)
    assert len(calls) == 2


def test_a_study_whose_database_is_locked_again_and_again_trains_nothing_twice(
    store: Store, path: Path, tmp_path: Path
) -> None:
    spec = make_spec(3, depths=[4, 8])
    held = store.acquire_study(store.create_study(spec)[0].id, ME, LONG)
    records, checkpoints = Records(store, held.lease), Checkpoints(tmp_path, held.study.id)
    reuse = Reuse(spec, records, checkpoints)
    driver = StudyDriver(spec, records, checkpoints, reuse=reuse, digest_of=digest_of, train_ahead=0)
    trained, world = [], CurveWorld(worst_tree=0.0)
    while True:
        try:
            job = driver.next_job()
        except StopIteration:
            break
        assert job
        trained.append(job.training)
        with locked_for(path, 0.3):
            driver.on_measured(job, world.train(job))
    assert len(trained) == len(set(trained)) == len(store.ledger(held.study.id).trials()) > 5


def test_what_was_trained_for_a_study_that_went_to_another_runner_meanwhile_is_not_recorded(
    store: Store, path: Path
) -> None:
    study = make_study(store)
    records = Records(store, store.acquire_study(study.id, ME, OVER).lease)
    store.acquire_study(study.id, OTHER, LONG)
    with locked_for(path, 0.3), pytest.raises(LeaseLost):
        records.keep("f" * 64, make_training(), make_measurement())
    assert store.trainings.find("f" * 64) == ()


@pytest.mark.slow(5)
def test_a_server_that_is_started_anew_is_waited_for() -> None:
    with postgres_server() as server:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string()
        with Store(url) as store:
            study = make_study(store)
            held = store.acquire_study(study.id, ME, LONG)
            records = Records(store, held.lease)
            _record(records, 0)
            server.stop()
            with pytest.raises(DatabaseAway):
                store.check(held.lease)
            recording = threading.Thread(target=lambda: _record(records, 1))
            recording.start()
            recording.join(0.5)
            assert recording.is_alive()
            server.start()
            recording.join(60)
            assert [trial.training.repeat for trial in store.ledger(study.id).trials()] == [0, 1]
            assert [kept.training.repeat for kept in store.trainings.find("1" * 64)] == [1]


def _record(records: Records, repeat: int) -> None:
    records.keep(str(repeat) * 64, make_training(repeat), make_measurement())
    records.record(make_training(repeat), 1, TrialState.COMPLETE, make_measurement())


class TestLeaseKeeper:
    def test_nothing_is_said_of_a_study_that_ended(self, store: Store, caplog: pytest.LogCaptureFixture) -> None:
        """It is renewed all the time, also while and after it ends."""
        for _ in range(20):
            held = store.acquire_study(make_study(store).id, ME, LONG)
            with caplog.at_level(logging.WARNING), LeaseKeeper(store, held.lease, 0.015) as keeper:
                keeper.end(partial(store.finish, held.lease, State.SUCCEEDED))
                keeper.renew()
            assert not keeper.should_stop()
        assert caplog.text == ""

    def test_a_study_that_was_lost_is_left(self, store: Store, caplog: pytest.LogCaptureFixture) -> None:
        held = store.acquire_study(make_study(store).id, ME, OVER)
        store.acquire_study(held.study.id, OTHER, LONG)
        keeper = LeaseKeeper(store, held.lease)
        keeper.renew()
        assert keeper.should_stop()
        assert "is lost to this runner" in caplog.text

    def test_an_end_that_is_refused_ends_nothing(self, store: Store) -> None:
        held = store.acquire_study(make_study(store).id, ME, OVER)
        store.pause_study(held.study.id)
        keeper = LeaseKeeper(store, held.lease)
        with pytest.raises(Conflict):
            keeper.end(lambda: store.finish(held.lease, State.SUCCEEDED))
        assert not keeper.should_stop()
        keeper.renew()
        assert keeper.should_stop()
