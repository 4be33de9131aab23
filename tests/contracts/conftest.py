"""The databases that every store has to work on: a SQLite file and a real PostgreSQL server."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url

from taskgraft.search.store import Store, sqlite_url
from tests.postgres import postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server that lives as long as the tests."""
    with postgres_server() as server:
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string()


@pytest.fixture(scope="session")
def on_postgres(postgres: str) -> Callable[[str], None]:
    """Runs one statement on the server, outside a transaction."""

    def execute(statement: str) -> None:
        engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    return execute


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store, to copy: much quicker than to make one for each test."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    Store(sqlite_url(path)).close()
    return path


@pytest.fixture(scope="session")
def migrated_database(postgres: str, on_postgres: Callable[[str], None]) -> str:
    """The same on the server."""
    name = "template_of_stores"
    on_postgres(f"CREATE DATABASE {name}")
    Store(make_url(postgres).set(database=name).render_as_string()).close()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def empty_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without any tables."""
    if backend == "sqlite":
        yield sqlite_url(tmp_path / "with 50% {odd} characters?.db")
    else:
        yield from _new_database(request, "template1")


@pytest.fixture
def url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with all tables and nothing in them."""
    if backend == "sqlite":
        path = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield sqlite_url(path)
    else:
        yield from _new_database(request, request.getfixturevalue("migrated_database"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as store:
        yield store


def _new_database(request: pytest.FixtureRequest, template: str) -> Iterator[str]:
    execute = request.getfixturevalue("on_postgres")
    name = f"store_{uuid4().hex}"
    execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield make_url(request.getfixturevalue("postgres")).set(database=name).render_as_string()
    finally:
        execute(f"DROP DATABASE {name} WITH (FORCE)")
