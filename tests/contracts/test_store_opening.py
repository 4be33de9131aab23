"""Opening a store on every database: migrations, races, lost connections."""

from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from taskgraft.errors import Unavailable
from taskgraft.search.store import DatabaseAway, Store
from taskgraft.search.store.tables import metadata
from taskgraft.search.store.urls import parse_url
from tests.contracts.store_workers import open_store, race
from tests.search.store.samples import make_study, make_training, record


def on_connection(url: str, act: Callable[[Connection], object]) -> object:
    engine = create_engine(parse_url(url))
    try:
        with engine.begin() as connection:
            return act(connection)
    finally:
        engine.dispose()


def test_an_empty_database_gets_our_tables_and_optunas(empty_url: str) -> None:
    Store(empty_url).close()
    names = on_connection(empty_url, lambda connection: set(inspect(connection).get_table_names()))
    assert isinstance(names, set)
    assert {"taskgraft_studies", "taskgraft_alembic_version", "alembic_version", "trials"} <= names


def test_migrations_lead_to_the_tables_that_the_code_uses(empty_url: str) -> None:
    Store(empty_url).close()

    def differences(connection: Connection) -> object:
        options = {
            "version_table": "taskgraft_alembic_version",
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "table" or str(name).startswith("taskgraft_"),
        }
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert on_connection(empty_url, differences) == []


def test_everything_is_there_after_reopening(empty_url: str) -> None:
    with Store(empty_url) as store:
        study = make_study(store)
        record(store, study.id)
    with Store(empty_url) as store:
        assert store.get_study(study.id) == study
        assert store.ledger(study.id).trial_count() == 1


def test_processes_open_an_empty_database_at_once(empty_url: str) -> None:
    ids = race(open_store, empty_url, processes=3)
    with Store(empty_url) as store:
        assert {study.id for study in store.list_studies().items} == set(ids)
        assert [store.ledger(study_id).trial_count() for study_id in ids] == [1, 1, 1]


def test_a_database_of_a_newer_taskgraft_is_left_alone(url: str) -> None:
    on_connection(url, lambda one: one.execute(text("UPDATE taskgraft_alembic_version SET version_num = '9999'")))
    with pytest.raises(Unavailable, match="written by another version of Taskgraft"):
        Store(url)


def test_a_database_of_another_optuna_is_left_alone(url: str) -> None:
    on_connection(url, lambda one: one.execute(text("UPDATE alembic_version SET version_num = 'v9.9.9'")))
    with pytest.raises(Unavailable, match=r"has Optuna's tables of version v9\.9\.9, not v"):
        Store(url)


def test_ping(store: Store) -> None:
    store.ping()


def test_an_outside_change_of_the_tables_is_reported_as_unavailable(store: Store, url: str) -> None:
    study = make_study(store)
    on_connection(url, lambda one: one.execute(text("ALTER TABLE taskgraft_studies RENAME TO elsewhere")))
    with pytest.raises(Unavailable, match="taskgraft_studies") as caught:
        store.get_study(study.id)
    assert not isinstance(caught.value, DatabaseAway)  # time does not mend it


def test_an_outside_change_of_optunas_tables_is_reported_as_unavailable(store: Store, url: str) -> None:
    study = make_study(store)
    on_connection(url, lambda one: one.execute(text("DROP TABLE trial_heartbeats")))
    on_connection(url, lambda one: one.execute(text("DROP TABLE study_directions")))
    with pytest.raises(Unavailable, match="study_directions"):
        record(store, study.id)


def test_a_server_that_hangs_up_is_called_again(store: Store, url: str, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("a file does not hang up")
    study = make_study(store)
    ledger = store.ledger(study.id)
    record(store, study.id, make_training(0))
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    on_connection(url, lambda one: one.execute(text(f"SELECT pg_terminate_backend(pid) {others}")))
    assert store.get_study(study.id) == study
    record(store, study.id, make_training(1))
    assert ledger.trial_count() == 2
