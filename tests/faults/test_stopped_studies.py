"""Studies that users stop, whose data change under them, or whose database is away."""

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
import soundfile

from taskgraft.errors import NotFound, Unavailable
from taskgraft.search.running.artifacts import study_dir
from taskgraft.search.store import Store
from taskgraft.search.study.preparation import tasks_from_facts
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Study
from taskgraft.space.tasks import Task, TaskKind
from tests.faults.dying import DATABASE
from tests.faults.studies import lenient_spec, new_folder, open_store, take, when
from tests.search.corpora import write_beeps

LONG = {"epochs": 1500, "batch_size": 12}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_folder(tmp_path / "my data")


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with open_store(folder) as store:
        yield store


def begin(store: Store, folder: Path) -> Study:
    """A study that was stopped when its data were loaded, before anything was trained."""
    study = store.create_study(lenient_spec())[0]
    run = take(store, study, folder)
    run.lease.stop()
    return run.run()


@pytest.mark.slow(18)
def test_a_study_that_is_paused_or_cancelled_while_it_trains_stops(folder: Path, store: Store) -> None:
    study = store.create_study(lenient_spec(training=LONG))[0]

    def trains() -> bool:
        return any(trial.fraction > 0 for trial in store.get_study(study.id).running)

    watcher = when(trains, lambda: store.pause_study(study.id))
    paused = take(store, study, folder).run()
    watcher.join()
    assert (paused.state, paused.reason, paused.stage, paused.running) == (State.PAUSED, None, Stage.BASELINES, ())
    assert not ray.is_initialized()
    assert store.ledger(study.id).trial_count() == 0

    store.resume_study(study.id)
    watcher = when(trains, lambda: store.cancel_study(study.id))
    assert take(store, study, folder).run().state is State.CANCELLED
    watcher.join()
    assert not study_dir(folder, study.id).exists() or list(study_dir(folder, study.id).iterdir()) == []


def test_a_runner_that_stops_leaves_the_study_to_the_next(folder: Path, store: Store) -> None:
    study = begin(store, folder)
    assert (study.state, study.reason) == (State.QUEUED, None)
    assert tasks_from_facts(study.facts) == tuple(Task(name, TaskKind.CLIP, 2) for name in ("pitch", "loud", "shape"))
    assert list(study.facts["fingerprints"]) == ["beeps/manifest.csv"]


@pytest.mark.parametrize("change", ["a clip", "the manifest"])
def test_data_that_changed_while_a_study_stood_still_fail_it(folder: Path, store: Store, change: str) -> None:
    study = begin(store, folder)
    if change == "a clip":
        shutil.copy(folder / "beeps/1.wav", folder / "beeps/2.wav")
    else:
        write_beeps(folder / "beeps", 55)
    ended = take(store, study, folder).run()
    assert ended.state is State.FAILED
    assert "beeps/manifest.csv changed since this study started" in (ended.reason or "")
    assert "start a new study" in (ended.reason or "")


def test_data_that_are_gone_fail_the_study_with_their_name(folder: Path, store: Store) -> None:
    study = begin(store, folder)
    (folder / "beeps/manifest.csv").unlink()
    ended = take(store, study, folder).run()
    assert ended.state is State.FAILED
    assert "tasks.0.dataset" in (ended.reason or "")
    assert "beeps/manifest.csv" in (ended.reason or "")


def test_a_corrupt_clip_fails_the_study_and_is_named(folder: Path, store: Store) -> None:
    (folder / "beeps/31.wav").write_bytes(b"RIFF, and then nothing")
    ended = take(store, store.create_study(lenient_spec())[0], folder).run()
    assert ended.state is State.FAILED
    assert "31.wav" in (ended.reason or "")
    assert "recording" in (ended.reason or "")
    assert not list((folder / "features").glob("*"))


def test_a_clip_whose_features_would_be_infinite_fails_the_study_and_is_named(folder: Path, store: Store) -> None:
    soundfile.write(folder / "beeps/31.wav", np.full(2400, 1e19), 8_000, subtype="FLOAT")
    ended = take(store, store.create_study(lenient_spec())[0], folder).run()
    assert ended.state is State.FAILED
    assert "beeps" in (ended.reason or "")
    assert "31.wav: a sample lies within" in (ended.reason or "")
    assert "got 1e+19" in (ended.reason or "")


def test_a_study_that_is_cancelled_just_before_it_fails_is_cancelled(folder: Path, store: Store) -> None:
    (folder / "beeps/31.wav").write_bytes(b"no sound")
    study = store.create_study(lenient_spec())[0]
    run = take(store, study, folder)
    store.cancel_study(study.id)
    assert run.run().state is State.CANCELLED


def test_a_study_that_is_deleted_under_its_runner_leaves_nothing(folder: Path, store: Store) -> None:
    study = store.create_study(lenient_spec())[0]
    run = take(store, study, folder)
    study_dir(folder, study.id).mkdir(parents=True)
    store.pause_study(study.id)
    store.delete_study(study.id)
    with pytest.raises(NotFound):
        run.run()
    assert not study_dir(folder, study.id).exists()


def test_a_database_that_is_away_leaves_the_study_as_it_was(
    folder: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    study = begin(store, folder)
    run = take(store, study, folder)
    with sqlite3.connect(folder / DATABASE) as connection:
        connection.execute("ALTER TABLE taskgraft_studies RENAME TO elsewhere")
    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable, match="no such table"):
        run.run()
    assert "could not be renewed" in caplog.text
    with sqlite3.connect(folder / DATABASE) as connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO taskgraft_studies")
    connection.close()
    assert store.get_study(study.id).state is State.RUNNING
    again = take(store, study, folder)
    again.lease.stop()
    assert again.run().state is State.QUEUED
