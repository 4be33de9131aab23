"""Logging to MLflow: into a real store in a file, by the process that the runner starts."""

import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.running.tracking.records import study_record, training_record
from taskgraft.search.running.tracking.tracker import Tracker
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study import tracking
from taskgraft.search.study.states import State
from taskgraft.search.study.tracking import Tracking
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.results import RESULT
from tests.search.store.samples import LONG, ME, make_study, make_training, record

_THRICE = """
import sqlite3, sys
from taskgraft.search.running.tracking.log_study import main
assert main(sys.argv[2:]) == 0
assert main(sys.argv[2:]) == 0
with sqlite3.connect(sys.argv[1]) as mlflow:  # as if the first attempt had broken off
    mlflow.execute("UPDATE runs SET status = 'RUNNING' WHERE name = 'my-device'")
mlflow.close()
assert main(sys.argv[2:]) == 0
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(sqlite_url(tmp_path / "store.db")) as store:
        yield store


def finished(store: Store, data_dir: Path) -> str:
    study = make_study(store, "my-device")
    lease = store.acquire_study(study.id, ME, LONG).lease
    for task in ("age", "gender"):
        record(store, study.id, make_training(0, (task,), 8))
    record(store, study.id, make_training(0))
    record(store, study.id, make_training(1), error="out of memory")
    store.finish(lease, State.SUCCEEDED, result=RESULT)
    bundle = artifacts_dir(data_dir, study.id)
    bundle.mkdir(parents=True)
    (bundle / "model.onnx").write_bytes(b"model")
    return study.id


def ask(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as mlflow:
        return mlflow.execute(query).fetchall()


@pytest.mark.slow(seconds=15)
def test_a_study_is_logged_once_for_each_epoch_and_completely(store: Store, tmp_path: Path) -> None:
    study_id, path = finished(store, tmp_path), tmp_path / "mlflow.db"
    urls = {"TASKGRAFT_DATABASE_URL": sqlite_url(tmp_path / "store.db"), "TASKGRAFT_MLFLOW": sqlite_url(path)}
    command = [sys.executable, "-c", _THRICE, str(path), study_id, "--epoch", "1", "--data-dir", str(tmp_path)]
    subprocess.run(command, env={**os.environ, **urls}, check=True, stderr=subprocess.PIPE)
    runs = ask(path, "SELECT name, status, lifecycle_stage FROM runs")
    parts = {"my-device", "0: age", "1: gender", "2: age, gender", "3: age, gender"}
    assert {name for name, _, stage in runs if stage == "active"} == parts
    assert [stage for _, _, stage in runs].count("active") == [stage for _, _, stage in runs].count("deleted") == 5
    assert {status for _, status, stage in runs if stage == "active"} == {"FINISHED"}
    of_study = "FROM {} JOIN runs USING (run_uuid) WHERE runs.name = 'my-device' AND lifecycle_stage = 'active'"
    parameters = dict(ask(path, f"SELECT key, value {of_study.format('params')}"))
    assert (parameters["ar_threshold"], parameters["strategy"]) == ("0.02", "adaptive")
    metrics = dict(ask(path, f"SELECT key, value {of_study.format('metrics')}"))
    assert metrics["test/ar"] == RESULT.ar
    nested = "SELECT count(*) FROM tags JOIN runs USING (run_uuid) WHERE key = 'mlflow.parentRunId'"
    assert ask(path, f"{nested} AND lifecycle_stage = 'active'") == [(4,)]
    (bundle,) = {found.read_bytes() for found in (tmp_path / "mlflow").rglob("bundle/model.onnx")}
    assert bundle == b"model"


def test_trainings_have_their_curve_and_their_reduction(store: Store, tmp_path: Path) -> None:
    study = store.get_study(finished(store, tmp_path))
    page = store.trials.page(study.id)
    baseline, _, pair, failed = (training_record(study.spec, trial, page.baselines, 1) for trial in page.items)
    assert set(baseline.points) == {
        ("validation/age", 0.5, 100),
        ("validation/age", 0.75, 200),
        ("best/age", 0.875, 250),
        ("seconds", 12.5, 300),
    }
    assert ("ar", 0.0, 300) in pair.points
    assert failed.points == ()
    assert failed.tags["taskgraft.error"] == "out of memory"
    trunk = record(store, make_study(store).id, Training(BranchTree.flat(("age", "gender"), 8, 8), is_trunk=True))
    assert "ar" not in {name for name, *_ in training_record(study.spec, trunk, page.baselines, 1).points}
    assert study_record(study, 3).tags["taskgraft.epoch"] == "3"


def test_an_mlflow_that_is_away_costs_a_runner_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    away = Tracking("http://127.0.0.1:9")  # nobody listens at the port for discarding
    tracker = Tracker(away, sqlite_url(tmp_path / "none.db"), tmp_path, waits=(0.0, 0.0), longest=0.5)
    tracker.start()
    with caplog.at_level(logging.INFO):
        tracker.add("0f5w8rrm0y000001", 2)
        while "is not logged to MLflow" not in caplog.text:
            time.sleep(0.05)
    tracker.stop()
    tracker.join()
    assert caplog.text.count("could not be logged to MLflow this time") == 2
    assert "0f5w8rrm0y000001 --epoch 2" in caplog.records[-1].message


def test_what_waits_when_the_runner_stops_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tracker = Tracker(Tracking("sqlite:///none.db"), "", tmp_path)
    for number in range(101):
        tracker.add(f"study-{number}", 1)
    assert "study study-100 is not logged to MLflow: 100 studies wait already" in caplog.text
    tracker.stop()
    tracker.start()
    tracker.join()
    assert caplog.text.count("the runner was stopped") == 100


def test_without_mlflow_nothing_is_started(tmp_path: Path) -> None:
    tracker = Tracker(None, "", tmp_path)
    tracker.start()
    tracker.add("study", 1)
    tracker.stop()
    tracker.join()


@pytest.mark.parametrize("uri", ["mlruns", "file:///tmp/mlruns", "databricks", "", "http://[::1"])
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(InvalidInput, match="a tracking URI is sqlite:///FILE"):
        Tracking(uri)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match=r'pip install "taskgraft\[mlflow\]"'):
        Tracking("sqlite:///mlflow.db")


def test_a_study_that_ends_after_the_thread_is_named_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tracker = Tracker(Tracking("sqlite:///none.db"), "", tmp_path)
    tracker.stop()
    tracker.start()
    tracker._thread.join()
    tracker.add("late", 1)
    tracker.join()
    assert "study late is not logged to MLflow: the runner was stopped" in caplog.text


def test_a_process_that_cannot_start_is_a_fault_like_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my data"
    tracker = Tracker(Tracking("sqlite:///none.db"), "", folder, waits=(0.0,))
    tracker.start()
    for study in ("first", "second"):
        monkeypatch.setattr(sys, "executable", str(tmp_path / "no such python"))
        tracker.add(study, 1)
        while f"study {study} is not logged" not in caplog.text:
            time.sleep(0.02)
    tracker.stop()
    tracker.join()
    assert "no process can be started: No such file or directory" in caplog.text
    assert f"--data-dir '{folder}'" in caplog.text
