"""Bringing a database to the newest form of our tables."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from taskgraft.errors import Unavailable

VERSION_TABLE = "taskgraft_alembic_version"
_SCRIPTS = Path(__file__).parent / "migrations"
_TURN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(8386657221746648434)"}
"""What makes a second process that opens the database wait until the first has committed."""

_alembic_is_busy = threading.Lock()
"""``alembic.context`` is one per process: threads take turns."""


def migrate(engine: Engine) -> None:
    """Run the migrations that are missing, all of them or, if one fails, none.

    Raises:
        Unavailable: the database was written by a newer Taskgraft.
    """
    with _alembic_is_busy, engine.begin() as connection:
        connection.exec_driver_sql(_TURN[engine.dialect.name])
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as error:
            raise Unavailable(f"the database was written by another version of Taskgraft: {error}") from error


def known_revisions() -> frozenset[str]:
    """Return the forms of our tables that this version can bring to the newest."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
