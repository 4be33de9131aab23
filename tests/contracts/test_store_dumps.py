"""A database as one file and back, of every kind."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from taskgraft.errors import Conflict, InvalidInput, Unavailable
from taskgraft.search.store import Store
from taskgraft.search.store.dumps import Dump, check_loadable, dump, load
from taskgraft.search.store.migrate import known_revisions
from tests.postgres import client_tools
from tests.search.store.samples import LONG, ME, OTHER, make_measurement, make_study, make_training, record


@pytest.fixture(autouse=True)
def tools(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if backend == "postgresql":
        monkeypatch.setenv("PATH", f"{client_tools()}{os.pathsep}{os.environ['PATH']}")


def test_what_is_loaded_is_what_was_dumped(url: str, empty_url: str, backend: str, tmp_path: Path) -> None:
    with Store(url) as store:
        study = make_study(store)
        lease = store.acquire_study(study.id, ME, LONG).lease
        record(store, study.id, value=0.1)
        found = dump(url, tmp_path / "dump")  # while it is open
        record(store, study.id, make_training(1), error="too late for the dump")
        kept = store.get_study(study.id)
    assert found == Dump(backend, max(known_revisions()))
    check_loadable(found, empty_url)
    load(tmp_path / "dump", empty_url)
    with Store(empty_url) as store:
        assert store.get_study(study.id) == kept
        (trial,) = store.ledger(study.id).trials()
        assert trial.measurement is not None
        assert trial.measurement.metrics == make_measurement().metrics
        assert store.renew(lease, LONG) is kept.state  # and it can be written
        with pytest.raises(Conflict):
            store.renew(replace(lease, owner=OTHER), LONG)
        assert make_study(store).id > study.id
    with pytest.raises(Conflict, match="an empty database"):
        check_loadable(found, empty_url)


def test_a_dump_of_a_newer_version_or_another_kind_is_refused(empty_url: str, backend: str, tmp_path: Path) -> None:
    other = "sqlite" if backend == "postgresql" else "postgresql"
    with pytest.raises(InvalidInput, match=f"the kind of database it was made of, {other}; got {backend}"):
        check_loadable(Dump(other, "0001"), empty_url)
    with pytest.raises(Unavailable, match="newer Taskgraft: its tables have the form '9999'"):
        check_loadable(Dump(backend, "9999"), empty_url)


def test_what_is_no_database_of_ours_is_not_dumped(empty_url: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        dump(empty_url, tmp_path / "dump")
    assert not (tmp_path / "dump").exists()


def test_a_damaged_dump_leaves_the_database_empty(url: str, empty_url: str, tmp_path: Path) -> None:
    found = dump(url, tmp_path / "dump")
    content = (tmp_path / "dump").read_bytes()
    (tmp_path / "dump").write_bytes(b"not " + content[4:])
    with pytest.raises(Unavailable, match="restore"):
        load(tmp_path / "dump", empty_url)
    check_loadable(found, empty_url)


def test_without_its_tools_postgresql_says_what_is_missing(
    url: str, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if backend == "sqlite":
        assert dump(url, tmp_path / "dump").kind == "sqlite"
        return
    with pytest.raises(Unavailable, match="pg_dump is not on the PATH: install the client tools"):
        dump(url, tmp_path / "dump")
