"""Settings and where they come from."""

import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from taskgraft.api.settings import Settings
from taskgraft.errors import InvalidInput
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.machines import Machines
from taskgraft.search.study.tracking import Tracking


def test_an_empty_environment_gives_the_defaults() -> None:
    environment = {"PATH": "/bin", "TASKGRAFT_PORT": "", "TASKGRAFT_HOST": ""}
    assert Settings.from_environment(environment=environment) == Settings()


def test_every_setting_has_its_variable(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        environment={
            "TASKGRAFT_DATA_DIR": str(tmp_path),
            "TASKGRAFT_DATABASE_URL": "postgresql://user@host/name",
            "TASKGRAFT_HOST": "::1",
            "TASKGRAFT_PORT": "0",
            "TASKGRAFT_RAY_ADDRESS": "ray:6379",
            "TASKGRAFT_DATASETS_ROOT": os.pathsep.join([str(tmp_path), "", "/"]),
            "TASKGRAFT_UPLOAD_BYTES": "1000",
            "TASKGRAFT_UPLOAD_FILES": "10",
            "TASKGRAFT_UPLOAD_EXPANDED": "2000",
            "TASKGRAFT_TRAIN_AHEAD": "3",
            "TASKGRAFT_ALLOWED_HOSTS": "audio.example.org, 10.0.0.7:8080,,[::1]",
            "TASKGRAFT_CONNECTIONS": "100",
            "TASKGRAFT_HEAD_SECONDS": "1",
            "TASKGRAFT_BODY_SECONDS": "2",
            "TASKGRAFT_ANSWER_SECONDS": "3",
        }
    )
    assert settings == Settings(
        tmp_path,
        "postgresql://user@host/name",
        "::1",
        0,
        "ray:6379",
        train_ahead=3,
        datasets_root=(tmp_path, Path("/")),
        upload_bytes=1000,
        upload_files=10,
        upload_expanded=2000,
        allowed_hosts=("audio.example.org", "10.0.0.7:8080", "[::1]"),
        connections=100,
        head_seconds=1,
        body_seconds=2,
        answer_seconds=3,
    )
    assert (settings.limits.bytes, settings.limits.files, settings.limits.expanded) == (1000, 10, 2000)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("UPLOAD_BYTES", "lots", "a limit is a whole number; got 'lots'"),
        ("UPLOAD_FILES", "0", "upload_files: a limit is 1 or more; got 0"),
        ("TRAIN_AHEAD", "-1", "a number of trainings is a whole number; got '-1'"),
        ("CONNECTIONS", "0", "connections: a limit is 1 or more; got 0"),
        ("HEAD_SECONDS", "0", "head_seconds: seconds are above 0; got 0"),
        ("BODY_SECONDS", "1.5", "a number of seconds is a whole number; got '1.5'"),
        ("ALLOWED_HOSTS", "http://a", "a host is a name or an address, with or without a port.*; got 'http://a'"),
        ("ALLOWED_HOSTS", "*", "a host is a name or an address"),
        ("DATASETS_ROOT", "/no/such/folder", "a root is a folder; got '/no/such/folder'"),
    ],
)
def test_numbers_and_roots_are_checked(name: str, value: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Settings.from_environment(environment={f"TASKGRAFT_{name}": value})


def test_a_root_that_is_a_link_is_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Settings(datasets_root=(tmp_path / "link",)).datasets_root == (tmp_path / "real",)


def test_what_is_given_goes_before_the_environment(tmp_path: Path) -> None:
    settings = Settings.from_environment({"port": 1}, {"TASKGRAFT_DATA_DIR": str(tmp_path), "TASKGRAFT_PORT": "2"})
    assert (settings.data_dir, settings.port) == (tmp_path, 1)


@pytest.mark.parametrize("port", ["65536", "-1", "http", "8.0", "²"])
def test_a_port_is_a_port(port: str) -> None:
    with pytest.raises(InvalidInput, match=port):
        Settings.from_environment(environment={"TASKGRAFT_PORT": port})


def test_cores_are_counted_and_belong_to_this_machine() -> None:
    assert Settings.from_environment(environment={"TASKGRAFT_CORES": "3"}).machines == Machines(cores=3)
    with pytest.raises(InvalidInput, match="cores: 1 or more; got 0"):
        Settings.from_environment(environment={"TASKGRAFT_CORES": "0"})
    with pytest.raises(InvalidInput, match="TASKGRAFT_CORES: a number of cores is a whole number; got 'all'"):
        Settings.from_environment(environment={"TASKGRAFT_CORES": "all"})
    with pytest.raises(InvalidInput, match="cores: a Ray cluster has its own, so leave it out with ray:6379"):
        Settings.from_environment({"cores": 2}, {"TASKGRAFT_RAY_ADDRESS": "ray:6379"})
    with pytest.raises(InvalidInput, match="train_ahead: a number of trainings is 0 or more; got -1"):
        Settings(train_ahead=-1)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as error:
        Settings(port=-1, host="")
    assert [fault.where for fault in error.value.faults] == ["port", "host"]


def test_the_data_folder_is_absolute_so_that_a_child_finds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(data_dir=Path("my data"))
    assert settings.data_dir == tmp_path / "my data"
    assert make_url(settings.database_url).database == str(tmp_path / "my data" / "taskgraft.db")


@pytest.mark.parametrize("name", ["plain", "a b", "100%", "what?x=1", "a#b", "a%20b", "ä:@&=+$,{}"])
def test_the_database_lies_in_the_data_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    Store(Settings(data_dir=tmp_path / name).database_url).close()
    assert (tmp_path / name / "taskgraft.db").is_file()


def test_where_finished_studies_are_logged_has_a_variable_too() -> None:
    environment = {"TASKGRAFT_MLFLOW": "postgresql://user:secret@host/mlflow"}
    settings = Settings.from_environment(environment=environment)
    assert settings.tracking == Tracking("postgresql://user:secret@host/mlflow")
    assert "secret" not in repr(settings)
    assert Settings().tracking is None


@pytest.mark.parametrize("uri", ["mlruns", "file:mlruns"])
def test_a_tracking_uri_is_checked_beside_all_else(uri: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Settings(port=-1, mlflow=uri)
    assert [fault.where for fault in caught.value.faults] == ["port", "mlflow"]


def test_mlflow_does_not_share_the_database(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "taskgraft.db")
    with pytest.raises(InvalidInput, match="a database of its own"):
        Settings(tmp_path, mlflow=url)
