"""Database URLs: which ones the store takes, and how they may be shown."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from taskgraft.errors import InvalidInput

WHERE = "database_url"
RULE = "a database URL is sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"

_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_PATIENCE = {"sqlite": ("timeout", "30"), "postgresql+psycopg": ("connect_timeout", "10")}
"""How many seconds to wait for a lock (SQLite) or a connection (PostgreSQL), where the URL says nothing."""


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def parse_url(text: str) -> URL:
    """The URL with the driver that the store uses, and with its patience written out.

    Raises:
        InvalidInput: not a URL, another kind of database, or SQLite without a file. The text itself is never quoted:
            a URL that cannot be taken apart may hold a password anywhere.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidInput.at(WHERE, f"{RULE}; got something else") from None
    if url.drivername not in _DRIVERS:
        raise InvalidInput.at(WHERE, f"{RULE}; got one that starts with {url.drivername!r}")
    if "@" in (url.host or ""):
        raise InvalidInput.at(WHERE, "an '@' in a user name or password is written %40")
    driver = _DRIVERS[url.drivername]
    if driver == "sqlite":
        _check_sqlite(url)
    key, seconds = _PATIENCE[driver]
    return url.set(drivername=driver).update_query_dict({key: url.query.get(key, seconds)})


def _check_sqlite(url: URL) -> None:
    if url.host or url.username:
        raise InvalidInput.at(
            WHERE, "a SQLite path follows three slashes, an absolute one four: sqlite:////data/studies.db"
        )
    if not url.database or url.database == ":memory:" or url.query.get("mode") == "memory":
        raise InvalidInput.at(WHERE, "SQLite needs a file, since several connections share it: sqlite:///studies.db")


def shown(url: URL) -> str:
    """The URL as a message may quote it: no password, and no options (one of them may be a password, too)."""
    return url.set(query={}).render_as_string(hide_password=True)
