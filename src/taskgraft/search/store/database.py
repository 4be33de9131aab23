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
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from taskgraft.errors import Unavailable
from taskgraft.search.store.migrate import migrate
from taskgraft.search.store.urls import parse_url, shown

T = TypeVar("T")

_RACE_SECONDS = 10.0
_RACE_STATES = {"23505": "unique violation", "42P07": "duplicate table", "42710": "duplicate object"}
"""PostgreSQL's SQLSTATE codes (appendix A of its manual) of a step that another process was quicker with."""


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
        """
        with self.errors(), self._engine.begin() as connection:
            yield connection

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
        cause = error.orig if isinstance(error, DBAPIError) else error
        return Unavailable(f"the database {shown(self.url)} fails: {' '.join(str(cause).split())}")

    def close(self) -> None:
        """Close every connection."""
        self.optuna.remove_session()
        self.optuna.engine.dispose()
        self._engine.dispose()


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
