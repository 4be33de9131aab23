"""The connection to a database, and the one place that turns its errors into ours."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError
from optuna.logging import WARNING, set_verbosity
from optuna.storages import RDBStorage
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004
)
from sqlalchemy.orm import scoped_session, sessionmaker

from taskgraft.errors import Unavailable
from taskgraft.search.store.migrate import migrate
from taskgraft.search.store.urls import parse_url, shown

T = TypeVar("T")

_RACE_SECONDS = 10.0
_RACE_STATES = {"23505": "unique violation", "42P07": "duplicate table", "42710": "duplicate object"}
"""PostgreSQL's SQLSTATE codes (appendix A of its manual) of a step that another process was quicker with."""

_PASSING_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN})
_PASSING_STATES = ("08", "40", "53300", "55P03", "57P")
"""Connection lost, transaction rolled back, too many connections, lock not available, operator intervention."""


class DatabaseAway(Unavailable):
    """The database can't be reached just now, or is locked: the same step may succeed later."""


class Database:
    """One database with two users: our own tables (`begin`) and Optuna's (`optuna`), both brought up to date.

    Raises:
        InvalidInput: a URL that the store does not take.
        Unavailable: the database does not answer, or is none.
    """

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        with self.errors():
            self._engine = _create_engine(self.url)
            try:
                _open(self._engine)
                self.optuna = _despite_races(lambda: _optuna_storage(self.url))
            except BaseException:
                self._engine.dispose()
                raise

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction on our own tables; it ends with the block.

        Raises:
            Unavailable: the database does not do its part.
            DatabaseAway: it may do so later.
        """
        with self.errors(), self._engine.begin() as connection:
            try:
                yield connection
            except (SQLAlchemyError, StorageInternalError) as error:
                if connection.invalidated:  # whatever the last statement made of it
                    raise DatabaseAway(self._describe(error)) from error
                raise

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Everything below SQLAlchemy and Optuna's storage that fails in this block becomes `Unavailable`."""
        try:
            yield
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error
        except StorageInternalError as error:
            raise self._unavailable(error.__cause__ or error) from error

    def _unavailable(self, error: BaseException) -> Unavailable:
        kind = DatabaseAway if is_passing(error) else Unavailable
        return kind(self._describe(error))

    def _describe(self, error: BaseException) -> str:
        cause = error.orig if isinstance(error, DBAPIError) else error
        return f"the database {shown(self.url)} fails: {' '.join(str(cause).split())}"

    def close(self) -> None:
        """Close every connection."""
        self.optuna.remove_session()
        self.optuna.engine.dispose()
        self._engine.dispose()


def optuna_within(connection: Connection) -> RDBStorage:
    """Return Optuna's storage on a connection of ours: what it writes is a part of the transaction there."""
    return _Joined(connection)


class _Joined(RDBStorage):
    """A storage without an engine, tables and versions of its own: `Database` has brought all of them up to date."""

    def __init__(self, connection: Connection) -> None:
        self.engine = connection.engine
        # Optuna commits each of its steps, which ends a savepoint here.
        self.scoped_session = scoped_session(sessionmaker(bind=connection, join_transaction_mode="create_savepoint"))


def is_passing(error: BaseException) -> bool:
    """Return whether an error of SQLAlchemy is one that the same step may not meet again later."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, TimeoutError)  # no connection of the pool became free
    code: int | None = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _PASSING_CODES  # the rest of an extended code says more
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None:  # there was no server to give one
        return error.connection_invalidated or isinstance(error, OperationalError)
    return state.startswith(_PASSING_STATES)


def _create_engine(url: URL) -> Engine:
    if url.drivername == "sqlite":
        folder = Path(url.database or "").parent
        if "uri" not in url.query and not folder.is_dir():
            raise Unavailable(f"the database {shown(url)} cannot be opened: there is no folder {folder}")
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise Unavailable(f"PostgreSQL needs a driver: pip install 'taskgraft[postgres]' ({error})") from error
    if url.drivername == "sqlite":
        event.listen(engine, "connect", _enforce_foreign_keys)
    return engine


def _enforce_foreign_keys(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA foreign_keys=ON").close()


def _open(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        _despite_races(lambda: _write_ahead(engine))
    migrate(engine)


def _write_ahead(engine: Engine) -> None:
    """Readers don't wait for a writer then; the file remembers it, so it holds for Optuna's connections, too."""
    with engine.connect() as connection:
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")


def _optuna_storage(url: URL) -> RDBStorage:
    set_verbosity(WARNING)
    # Optuna takes braces in a URL for a template.
    text = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    storage = RDBStorage(text, {"pool_pre_ping": True}, skip_compatibility_check=True)
    found, expected = storage.get_current_version(), storage.get_head_version()
    if found != expected:
        storage.engine.dispose()
        raise Unavailable(f"the database {shown(url)} has Optuna's tables of version {found}, not {expected}")
    return storage


def _despite_races(step: Callable[[], T]) -> T:
    """Repeat a step of opening that fails because another process does the very same just now.

    Neither SQLite's switch to a write-ahead log nor Optuna's creation of its tables waits for its turn.
    """
    deadline = time.monotonic() + _RACE_SECONDS
    while True:
        try:
            return step()
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if time.monotonic() > deadline or not _is_race(error):
                raise
            time.sleep(0.05)


def _is_race(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlstate", None)
    return code in _RACE_STATES or any(words in str(error.orig) for words in ("already exists", "locked", "UNIQUE"))
