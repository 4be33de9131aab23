"""The content of a database as one file, and back: by SQLite's own backup, or by PostgreSQL's pg_dump and pg_restore.

Neither opens a `Store`, which would bring the tables up to date: a backup changes nothing.
"""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from taskgraft.errors import Conflict, InvalidInput, Unavailable
from taskgraft.search.store.migrate import VERSION_TABLE, known_revisions
from taskgraft.search.store.urls import WHERE, parse_url, shown

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_PAGES = 1_000
"""Pages that SQLite copies before it lets writers in."""


@dataclass(frozen=True, slots=True)
class Dump:
    """What is known of a dump beside its file: the kind of its database, and the form of its tables."""

    kind: str
    revision: str


def dump(url: str, target: Path) -> Dump:
    """Write the database to the new file ``target``, as it is at one moment; others may read and write meanwhile.

    Raises:
        InvalidInput: a URL that the store does not take.
        Unavailable: the database does not answer, is not a Taskgraft database, or the file can't be written.
    """
    parsed = parse_url(url)
    found = Dump(parsed.get_backend_name(), _revision(parsed))
    try:
        if found.kind == SQLITE:
            _copy_sqlite(Path(parsed.database or ""), target)
        else:
            options = ["--format=custom", "--no-owner", "--no-privileges", f"--file={target}"]
            _run_tool("pg_dump", parsed, options)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"the database {shown(parsed)} can't be copied to {target}: {error}") from error
    return found


def check_loadable(dumped: Dump, url: str) -> None:
    """Check that a dump can be loaded into an empty database at ``url``.

    Raises:
        InvalidInput: the dump is of another kind of database, or a URL that the store does not take.
        Conflict: the database is not empty.
        Unavailable: the dump was made by a newer Taskgraft, or the database does not answer.
    """
    parsed = parse_url(url)
    if dumped.kind != (kind := parsed.get_backend_name()):
        raise InvalidInput.at(
            WHERE, f"a backup is restored into the kind of database it was made of, {dumped.kind}; got {kind}"
        )
    if dumped.revision not in (known := known_revisions()):
        raise Unavailable(
            f"the backup was made by a newer Taskgraft: its tables have the form {dumped.revision!r:.80}, "
            f"and this version knows those up to {max(known)}"
        )
    if kind == SQLITE:
        if Path(parsed.database or "").exists():
            raise Conflict(f"a backup is restored into an empty database; {parsed.database} is there")
    elif tables := _tables(parsed):
        raise Conflict(f"a backup is restored into an empty database; {shown(parsed)} has {len(tables)} tables")


def load(source: Path, url: str) -> None:
    """Load a dump that `check_loadable` has let through; on PostgreSQL all of it or nothing.

    Raises:
        Unavailable: the database does not do its part.
    """
    parsed = parse_url(url)
    try:
        if parsed.get_backend_name() == SQLITE:
            target = Path(parsed.database or "")
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.partial")
            partial.unlink(missing_ok=True)
            try:
                _copy_sqlite(source, partial)
                partial.rename(target)
            finally:
                partial.unlink(missing_ok=True)
        else:
            options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
            _run_tool("pg_restore", parsed, [*options, "--dbname", _plain(parsed), str(source)])
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"the database {shown(parsed)} can't be restored: {error}") from error


def _copy_sqlite(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{_quoted(source)}?mode=ro", uri=True)) as theirs,
        closing(sqlite3.connect(target)) as ours,
    ):
        theirs.backup(ours, pages=_PAGES)


def _quoted(path: Path) -> str:
    return path.absolute().as_uri().removeprefix("file://")


def _run_tool(tool: str, url: URL, options: list[str]) -> None:
    """Run a tool of PostgreSQL. The password goes by the environment: every user can read a command's arguments."""
    if shutil.which(tool) is None:
        raise Unavailable(f"PostgreSQL's {tool} is not on the PATH: install the client tools of the server's version")
    command = [tool, *options] if "--dbname" in options else [tool, *options, "--dbname", _plain(url)]
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Unavailable(f"{tool} fails for {shown(url)}: {' '.join(done.stderr.split())[:1_000]}")


def _plain(url: URL) -> str:
    """Return the URL as PostgreSQL's own tools read it, without the password."""
    return url.set(drivername="postgresql", password=None).render_as_string()


def _revision(url: URL) -> str:
    if url.get_backend_name() == SQLITE and not Path(url.database or "").is_file():
        raise Unavailable(f"there is no database {shown(url)}")
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            found: str = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one()  # noqa: S608
            return found
    except SQLAlchemyError as error:
        raise Unavailable(
            f"the database {shown(url)} does not answer, or is not Taskgraft's: {_said(error)}"
        ) from error
    finally:
        engine.dispose()


def _tables(url: URL) -> list[str]:
    engine = create_engine(url)
    try:
        return inspect(engine).get_table_names()
    except SQLAlchemyError as error:
        raise Unavailable(f"the database {shown(url)} does not answer: {_said(error)}") from error
    finally:
        engine.dispose()


def _said(error: SQLAlchemyError) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())
