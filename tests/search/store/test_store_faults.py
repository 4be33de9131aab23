"""Databases that do not do their part, and what the store says then."""

import multiprocessing
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import InvalidInput, TaskgraftError, Unavailable
from taskgraft.search.store import DatabaseAway, Store, sqlite_url
from taskgraft.search.study.trial import TrialState
from tests.search.store.samples import lease_of, make_measurement, make_study, make_training, record

SECRET = "s3cret-pass"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    Store(sqlite_url(path)).close()
    return path


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, held so that nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "a database URL is sqlite:///PATH or postgresql:"),
        ("studies.db", "a database URL is sqlite:///PATH or postgresql:"),
        ("mysql://root@localhost/db", "starts with 'mysql'"),
        ("postgresql+asyncpg://localhost/db", "starts with 'postgresql\\+asyncpg'"),
        ("sqlite://studies.db", "three slashes, an absolute one four"),
        ("sqlite://", "SQLite needs a file"),
        ("sqlite:///:memory:", "SQLite needs a file"),
        ("sqlite:///file:x?mode=memory&uri=true", "SQLite needs a file"),
        ("postgresql://me:a@b@localhost/db", "is written %40"),
        (f"postgresql://me:{SECRET}@localhost:port/db", "got something else"),
    ],
)
def test_a_url_that_the_store_does_not_take(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        Store(url)
    assert caught.value.faults[0].where == "database_url"
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
@pytest.mark.parametrize("secret", [f"me:{SECRET}@127.0.0.1:{{port}}/db", f"127.0.0.1:{{port}}/db?password={SECRET}"])
def test_a_server_that_does_not_answer(scheme: str, secret: str, closed_port: int) -> None:
    pytest.importorskip("psycopg", reason="psycopg (the postgres extra) is not installed")
    with pytest.raises(DatabaseAway, match=r"the database postgresql\+psycopg://.*refused") as caught:
        Store(f"{scheme}://{secret.format(port=closed_port)}")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=f"there is no folder {tmp_path}/missing"):
        Store(sqlite_url(tmp_path / "missing" / "store.db"))


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="unable to open database file"):
        Store(sqlite_url(tmp_path))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("These are my notes, and no database at all.\n" * 100)
    with pytest.raises(Unavailable, match=r"notes\.db fails: file is not a database"):
        Store(sqlite_url(path))
    assert path.read_text().startswith("These are my notes")


def test_a_file_that_may_only_be_read(path: Path) -> None:
    with Store(f"sqlite:///file:{path}?mode=ro&uri=true") as store:
        assert store.list_studies().items == ()
        with pytest.raises(Unavailable, match="readonly database"):
            make_study(store)


def test_a_file_that_another_program_locks(path: Path) -> None:
    with Store(f"{sqlite_url(path)}?timeout=0.1") as store:
        study = make_study(store)
        ledger, lease = store.ledger(study.id), lease_of(store, study.id)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        assert store.get_study(study.id) == study
        with pytest.raises(DatabaseAway, match=r"store\.db fails: database is locked"):
            make_study(store)
        with pytest.raises(DatabaseAway, match=r"store\.db fails: database is locked"):
            ledger.record(lease, make_training(), 1, TrialState.COMPLETE, make_measurement())
        with pytest.raises(Unavailable, match="database is locked"):
            Store(f"{sqlite_url(path)}?timeout=0.1")
        other.rollback()
        other.close()
        assert ledger.record(lease, make_training(), 1, TrialState.COMPLETE, make_measurement()).number == 0


def fill(path: Path, answers: Any) -> None:
    """Write until the file system takes no more: files of this process may not grow beyond 1 MB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Store(sqlite_url(path)) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        study = make_study(store)
        ledger, lease = store.ledger(study.id), lease_of(store, study.id)
        recorded = 0
        try:
            while True:
                ledger.record(lease, make_training(recorded), 1, TrialState.COMPLETE, make_measurement(clips=10_000))
                recorded += 1
        except TaskgraftError as error:
            answers.put((recorded, repr(error), len(ledger.trials())))


def test_a_disk_that_is_full(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=fill, args=(path, answers))
    process.start()
    process.join()
    recorded, error, read = answers.get()
    assert error.startswith("Unavailable")
    assert recorded == read > 0
    with Store(sqlite_url(path)) as store:
        (study,) = store.list_studies().items
        assert store.ledger(study.id).trial_count() == recorded


def test_a_delete_that_was_cut_short_is_finished_by_the_next(path: Path) -> None:
    with Store(sqlite_url(path)) as store:
        study = make_study(store)
        record(store, study.id)
        with sqlite3.connect(path) as raw:
            raw.execute("DELETE FROM taskgraft_studies")
        raw.close()
        store.delete_study(study.id)
        with sqlite3.connect(path) as raw:
            assert raw.execute("SELECT count(*) FROM trials").fetchone() == (0,)
        raw.close()


def test_connections_are_closed(path: Path) -> None:
    """The write-ahead log goes with the last connection."""
    with Store(sqlite_url(path)) as store:
        study = make_study(store)
        record(store, study.id)
        assert list(path.parent.glob("store.db-*"))
    assert not list(path.parent.glob("store.db-*"))


def test_the_file_has_a_write_ahead_log_and_checks_foreign_keys(path: Path) -> None:
    with Store(sqlite_url(path)) as store, store._database.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_a_store_needs_neither_torch_nor_ray() -> None:
    code = "import sys, taskgraft.search.store; sys.exit(bool({'torch', 'ray'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
