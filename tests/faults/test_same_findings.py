"""What a study finds out is the same when its runner is killed, its disk is full, or all of it was trained before.

One file, so that the study which they are compared with runs once.
"""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.running import pipeline
from taskgraft.search.running.artifacts import artifacts_dir, remove_study_files, study_dir
from taskgraft.search.running.backup import restore_backup, write_backup
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.lease import LEASE_SECONDS
from taskgraft.search.running.pipeline import StudyRun
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.machines import Machines
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import Trial
from tests.faults.dying import DATABASE, take_when_free
from tests.faults.killing import Sleeper, run_until_killed
from tests.faults.studies import SEARCHED, TRIALS, findings, lenient_spec, new_folder, open_store, take, when

pytestmark = pytest.mark.usefixtures("one_ray")


@pytest.fixture(scope="module")
def undisturbed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the study runs to which nothing happens."""
    return new_folder(tmp_path_factory.mktemp("undisturbed") / "my data")


@pytest.fixture(scope="module")
def undisturbed(undisturbed_folder: Path) -> tuple[str, Any, Any]:
    """What the study finds out when nothing happens."""
    folder = undisturbed_folder
    with open_store(folder) as store:
        study = take(store, store.create_study(lenient_spec())[0], folder).run()
        assert (study.state, study.reason) == (State.SUCCEEDED, None)
        assert store.ledger(study.id).trial_count() == TRIALS
        assert study.result
        assert study.result.retrained
        assert len(study.result.retrained.tasks) == 3
        return findings(store, study)


def metrics(trial: Trial) -> object:
    return trial.measurement and dict(trial.measurement.metrics)


@pytest.mark.slow(60)
def test_a_study_survives_a_kill_in_each_of_its_stages(tmp_path: Path, undisturbed: tuple[str, Any, Any]) -> None:
    """A kill costs the training at hand, and nothing else."""
    folder = new_folder(tmp_path / "my data")
    with open_store(folder) as store:
        study = store.create_study(lenient_spec())[0]
        before: list[tuple[int, str, object]] = []
        for number in (2, 5, SEARCHED, TRIALS):  # a baseline, a pair, the tree, the tree with a further seed
            whole = number - 1
            run_until_killed(folder, study.id, f"record:{number}")
            trials = [(trial.number, trial.training.key, metrics(trial)) for trial in store.ledger(study.id).trials()]
            assert len(trials) == whole
            assert trials[: len(before)] == before
            assert store.get_study(study.id).state is State.RUNNING
            before = trials
        run_until_killed(folder, study.id, "export")
        assert list(study_dir(folder, study.id).glob(".artifacts-*/model.onnx"))
        assert not artifacts_dir(folder, study.id).exists()

        ended = take(store, study, folder).run()
        assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
        assert findings(store, ended) == undisturbed
        assert store.ledger(study.id).trial_count() == TRIALS
        assert [path.name for path in sorted(study_dir(folder, study.id).iterdir())] == ["artifacts", "checkpoints"]
        assert not list(folder.rglob("*.partial"))
        assert (artifacts_dir(folder, study.id) / "model.onnx").stat().st_size > 100_000


@pytest.mark.slow(15)
def test_a_study_that_is_backed_up_half_way_and_restored_elsewhere_finds_the_same(
    tmp_path: Path, undisturbed: tuple[str, Any, Any]
) -> None:
    folder, backup, elsewhere = new_folder(tmp_path / "my data"), tmp_path / "backup", tmp_path / "elsewhere"
    with open_store(folder) as store:
        study = store.create_study(lenient_spec())[0]
        run = take(store, study, folder)

        def pause() -> None:
            store.pause_study(study.id)
            run.lease.stop()

        watcher = when(lambda: store.ledger(study.id).trial_count() >= 4, pause)
        assert run.run().state is State.PAUSED
        watcher.join()
        before = store.ledger(study.id).trial_count()
        assert 4 <= before < TRIALS
        write_backup(backup, sqlite_url(folder / DATABASE), folder)
    shutil.rmtree(folder)
    restore_backup(backup, sqlite_url(elsewhere / DATABASE), elsewhere)
    new_folder(elsewhere)  # recordings that are registered are the user's, and so is their backup
    with open_store(elsewhere) as store:
        assert store.ledger(study.id).trial_count() == before
        store.resume_study(study.id)
        ended = take(store, study, elsewhere).run()
        assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
        assert findings(store, ended) == undisturbed
        assert store.ledger(study.id).trial_count() == TRIALS


def everything(folder: Path, study_id: str) -> tuple[str, dict[str, bytes]]:
    """All rows of the database, and all files of the study."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        rows = "\n".join(connection.iterdump())
    files = study_dir(folder, study_id)
    return rows, {str(path.relative_to(files)): path.read_bytes() for path in files.rglob("*") if path.is_file()}


@pytest.mark.slow(60)
def test_a_runner_that_slept_through_the_end_of_its_lease_changes_nothing_any_more(
    tmp_path: Path, undisturbed: tuple[str, Any, Any]
) -> None:
    """Three of them, each taken over from the one before it; all wake up when the study is finished."""
    folder = new_folder(tmp_path / "my data")
    with open_store(folder) as store:
        study = store.create_study(lenient_spec())[0]
        asleep = [Sleeper(folder, study.id, stage) for stage in ("training", "recording", "export")]
        held = take_when_free(store, study.id, "the last one", LEASE_SECONDS)
        assert held.lease.epoch == 4
        ended = StudyRun(store, held, folder, base=folder, machines=Machines(cores=1)).run()
        assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
        assert findings(store, ended) == undisturbed
        before = everything(folder, study.id)
        assert {name.split("/")[0] for name in before[1]} == {"artifacts", "checkpoints"}
        for sleeper in asleep:
            said = sleeper.wake()
            assert "no longer holds it" in said
            assert "Traceback" not in said
            assert everything(folder, study.id) == before


def test_a_database_that_is_locked_for_a_while_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_folder(tmp_path / "my data")
    on_measured, trained = StudyDriver.on_measured, list[str]()

    def count(driver: StudyDriver, job: Job, measurement: Measurement) -> None:
        trained.append(job.training.key)
        on_measured(driver, job, measurement)

    monkeypatch.setattr(StudyDriver, "on_measured", count)
    two = [{"name": name, "dataset": "beeps/manifest.csv", "target": name} for name in ("pitch", "loud")]

    def lock() -> None:
        with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            wait_until(lambda: "it is asked again" in caplog.text)
            other.execute("ROLLBACK")

    with Store(f"{sqlite_url(folder / DATABASE)}?timeout=0.2") as store:
        study = store.create_study(lenient_spec(confirm=0, tasks=two))[0]
        watcher = when(lambda: store.ledger(study.id).trial_count() == 1, lock)
        ended = take(store, study, folder).run()
        watcher.join()
        assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
        recorded = [trial.training.key for trial in store.ledger(study.id).trials()]
    assert sorted(recorded) == sorted(trained)
    assert len(recorded) >= 3
    assert "is lost to this runner" not in caplog.text


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with data and a disk of 64 KiB where studies keep their files."""
    folder = new_folder(tmp_path / "my data")
    disk = folder / "studies"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip() or os.strerror(mounted.returncode)}")
    yield folder
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow(15)
def test_a_full_disk_pauses_the_study_and_it_goes_on_when_there_is_room(
    small_disk: Path, undisturbed: tuple[str, Any, Any]
) -> None:
    folder = small_disk
    with open_store(folder) as store:
        study = store.create_study(lenient_spec())[0]
        paused = take(store, study, folder).run()
        assert paused.state is State.PAUSED
        assert "No space left on device" in (paused.reason or "")
        assert store.ledger(study.id).trial_count() < TRIALS

        subprocess.run(["mount", "-o", "remount,size=64m", str(folder / "studies")], check=True)
        store.resume_study(study.id)
        ended = take(store, study, folder).run()
        assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
        assert findings(store, ended) == undisturbed


@pytest.mark.slow
def test_a_second_study_takes_everything_over_without_ray(
    undisturbed: tuple[str, Any, Any], undisturbed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> None:
        raise AssertionError("there is nothing to train")

    monkeypatch.setattr(pipeline, "ray_session", start)
    """Its files are those of the first one, byte for byte."""
    folder = undisturbed_folder
    with open_store(folder) as store:
        first = store.list_studies().items[-1]
        study = store.create_study(lenient_spec())[0]
        ended = take(store, study, folder).run()
        assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
        assert (ended.progress.trials_done, ended.progress.taken_over) == (TRIALS, TRIALS)
        assert findings(store, ended) == undisturbed
        for name in ("model.safetensors", "model.onnx", "tree.json", "metrics.json"):
            before, after = (artifacts_dir(folder, one.id) / name for one in (first, ended))
            assert after.read_bytes() == before.read_bytes(), name
        store.delete_study(ended.id)
        remove_study_files(folder, ended.id)
        assert (artifacts_dir(folder, first.id) / "model.onnx").is_file()
