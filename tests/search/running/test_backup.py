"""Backups: whole or not there, checked before anything is restored, and never out of their folder."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from taskgraft.api.cli.main import app
from taskgraft.errors import Conflict, InvalidInput, TaskgraftError, Unavailable
from taskgraft.search.running import backup, backup_files
from taskgraft.search.running.backup import check_backup, restore_backup, write_backup
from taskgraft.search.store import Store, sqlite_url
from tests.search.worlds import make_spec

FILES = {
    "corpora/demo-speech-3/.hidden.wav": b"sound",
    "datasets/0123/files/a/b.wav": b"an upload",
    "studies/s1/artifacts/model.onnx": b"model" * 1000,
    "studies/s1/checkpoints/aa.safetensors": b"weights",
    "studies/s1/checkpoints/aa.state": b"",
}
PASSING = (
    "features/ab/frames.npy",
    "run.lock",
    f"corpora/.demo-speech-3-{'0' * 32}/clips/1.wav",
    "datasets/0123/lock",
    "datasets/0123/files.partial/a/b.wav",
    "studies/s1/tune/state.json",
    "studies/s1/.artifacts-x1/model.onnx",
    "studies/s1/checkpoints/bb.partial",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "my data"
    for name, content in {**FILES, **dict.fromkeys(PASSING, b"passing")}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with Store(url_of(folder)) as store:
        store.create_study(make_spec(2), idempotency_key="kept")
    (folder / "studies/s1/out").symlink_to("/etc")
    (folder / "studies/s1/artifacts/passwd").symlink_to("/etc/passwd")
    os.mkfifo(folder / "studies/s1/pipe")
    return folder


def url_of(folder: Path) -> str:
    return sqlite_url(folder / "taskgraft.db")


def written(data: Path, folder: Path) -> Path:
    write_backup(folder, url_of(data), data)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_restored_is_what_was_kept(data: Path, tmp_path: Path) -> None:
    made = written(data, tmp_path / "backup")
    assert {name.removeprefix("data/") for name in tree(made)} == {*FILES, "backup.json", "database"}
    assert made.stat().st_mode & 0o077 == 0
    found = restore_backup(made, url_of(tmp_path / "new"), tmp_path / "new")
    restored = tree(tmp_path / "new")
    assert {name: restored[name] for name in FILES} == FILES
    assert set(restored) - set(FILES) <= {"taskgraft.db", "taskgraft.db-wal", "taskgraft.db-shm"}
    assert found.bytes == sum(map(len, FILES.values())) + (made / "database").stat().st_size
    with Store(url_of(tmp_path / "new")) as store:
        assert store.knows_key("kept")


def test_the_commands(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKGRAFT_DATA_DIR", str(data))
    folder, new = str(tmp_path / "backup"), str(tmp_path / "new")
    made = CliRunner().invoke(app, ["backup", folder, "--json"])
    assert made.exit_code == 0
    assert json.loads(made.stdout)["files"] == len(FILES)
    again = CliRunner().invoke(app, ["backup", folder])
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)
    assert CliRunner().invoke(app, ["restore", folder, "--data-dir", new]).exit_code == 0
    assert CliRunner().invoke(app, ["restore", folder, "--data-dir", new]).exit_code == 2


def test_a_backup_that_fails_is_not_there(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup_files, "_read", full)
    (tmp_path / "backups").mkdir()
    with pytest.raises(Unavailable, match="No space left"):
        write_backup(tmp_path / "backups" / "today", url_of(data), data)
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_study_that_changes_meanwhile_is_copied_again_and_one_that_goes_is_left_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, copied = data / "studies/s1", backup_files.copy_file
    (data / "studies/s2").mkdir()
    (data / "studies/s2/gone").touch()
    seen: list[str] = []

    def replacing(source: Path, target: Path, path: str) -> Any:
        seen.append(path)
        if path.endswith("model.onnx") and seen.count(path) == 1:  # as an export does
            (study / "artifacts").rename(study / ".artifacts-old")
            (study / "artifacts").mkdir()
            (study / "artifacts/model.onnx").write_bytes(b"new")
        if path.endswith("gone"):
            (data / "studies/s2/gone").unlink(missing_ok=True)
            (data / "studies/s2").rmdir() if (data / "studies/s2").exists() else None
        return copied(source, target, path)

    monkeypatch.setattr(backup_files, "copy_file", replacing)
    monkeypatch.setattr(backup_files, "_PAUSE_SECONDS", 0.0)
    made = written(data, tmp_path / "backup")
    found = tree(made)
    assert found["data/studies/s1/artifacts/model.onnx"] == b"new"
    assert not any("s2" in file.path for file in check_backup(made).files)


Damage = Callable[[Path], object]


def rewrite(change: Callable[[dict[str, Any]], object]) -> Damage:
    def act(folder: Path) -> None:
        found = json.loads((folder / "backup.json").read_text())
        change(found)
        (folder / "backup.json").write_text(json.dumps(found))

    return act


def replace_by_link(folder: Path) -> None:
    place = folder / "data/studies/s1/checkpoints"
    place.rename(folder.parent / "moved")
    place.symlink_to(folder.parent / "moved")


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a byte": (lambda folder: (folder / "data/datasets/0123/files/a/b.wav").write_bytes(b"An upload"), "damaged"),
    "a file": (lambda folder: (folder / "data/studies/s1/checkpoints/aa.state").unlink(), "damaged: No such file"),
    "the database": (lambda folder: os.truncate(folder / "database", 4096), "damaged"),
    "a link": (replace_by_link, "is a link, or lies behind one"),
    "no list": (lambda folder: (folder / "backup.json").unlink(), "a backup has a file backup.json"),
    "half a list": (lambda folder: os.truncate(folder / "backup.json", 300), "is no JSON"),
    "a list": (lambda folder: (folder / "backup.json").write_text("[]"), "backup.json"),
    "another form": (rewrite(lambda found: found.update(schema="taskgraft.backup/2")), "taskgraft.backup/1"),
    "a path out": (rewrite(lambda found: found["files"][0].update(path="../../evil")), "a path stays inside"),
    "an absolute path": (rewrite(lambda found: found["files"][0].update(path="/etc/evil")), "a path stays inside"),
    "the dump out": (rewrite(lambda found: found["dump"].update(path="../database")), "a path stays inside"),
    "a newer version": (rewrite(lambda found: found["database"].update(revision="9999")), "newer Taskgraft"),
    "another kind": (rewrite(lambda found: found["database"].update(kind="postgresql")), "kind of database"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_refused_and_nothing_is_written(data: Path, tmp_path: Path, damage: str) -> None:
    folder = written(data, tmp_path / "backup")
    act, message = DAMAGES[damage]
    act(folder)
    with pytest.raises(TaskgraftError, match=message):
        restore_backup(folder, url_of(tmp_path / "new"), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("there", ["a file", "the database"])
def test_only_what_is_empty_is_restored_into(data: Path, tmp_path: Path, there: str) -> None:
    folder, new = written(data, tmp_path / "backup"), tmp_path / "new"
    new.mkdir()
    (new / ("taskgraft.db" if there == "the database" else "mine")).touch()
    with pytest.raises(Conflict, match="empty"):
        restore_backup(folder, url_of(new), new)
    assert len(list(new.iterdir())) == 1


def test_a_restoration_that_fails_leaves_nothing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, new = written(data, tmp_path / "backup"), tmp_path / "new"

    def fail(*_: object) -> None:
        raise Unavailable("the database is away")

    monkeypatch.setattr(backup, "load", fail)
    with pytest.raises(Unavailable, match="is away"):
        restore_backup(folder, url_of(new), new)
    assert list(new.iterdir()) == []


def test_a_backup_is_made_while_studies_are_added(data: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def add() -> None:
        with Store(url_of(data)) as store:
            while not stop.is_set():
                store.create_study(make_spec(2))

    thread = threading.Thread(target=add)
    thread.start()
    try:
        folder = written(data, tmp_path / "backup")
    finally:
        stop.set()
        thread.join()
    restore_backup(folder, url_of(tmp_path / "new"), tmp_path / "new")
    with Store(url_of(tmp_path / "new")) as store:
        assert store.list_studies().items


def test_there_has_to_be_a_backup(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"a backup has a file backup.json: No such file"):
        restore_backup(tmp_path / "nothing", url_of(tmp_path / "new"), tmp_path / "new")
