"""Real studies on two cores, which begin the first joint model before its baselines have ended, find out the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import Unavailable
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.open_training import Look
from taskgraft.search.running.artifacts import Checkpoints, artifacts_dir
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.lease import LEASE_SECONDS
from taskgraft.search.running.pipeline import StudyRun
from taskgraft.search.study.machines import Machines
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import Training
from tests.faults.dying import OWNER
from tests.faults.studies import findings, new_folder, open_store
from tests.search.corpora import beeps_spec

Found = tuple[object, dict[Training, tuple[object, bytes | None]], bytes]


def run(folder: Path, machines: Machines, **more: Any) -> Found:
    """What a study finds out: its findings, every training with its weights, and the model."""
    new_folder(folder)
    with open_store(folder) as store:
        study = store.create_study(beeps_spec(**more))[0]
        held = store.acquire_study(study.id, OWNER, LEASE_SECONDS)
        ended = StudyRun(store, held, folder, base=folder, machines=machines).run()
        assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
        trained = {
            trial.training: (timeless(trial.measurement), weights(Checkpoints(folder, study.id), trial.training))
            for trial in store.ledger(study.id).trials()
            if trial.measurement
        }
        model = (artifacts_dir(folder, study.id) / "model.safetensors").read_bytes()
        return findings(store, ended), trained, model


def timeless(measured: Measurement) -> object:
    """What was measured, without how long it took, by whom, and what it went on from."""
    return replace(measured.by_itself(), seconds=0.0, worker="").to_json()


def weights(checkpoints: Checkpoints, training: Training) -> bytes | None:
    try:
        return checkpoints.load(training)
    except Unavailable:
        return None


@pytest.mark.slow(25)
@pytest.mark.parametrize("strategy", ["trees", "groups"])
def test_a_study_that_does_not_wait_for_baselines_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    told: list[Training] = []
    on_look = StudyDriver.on_look

    def listen(driver: StudyDriver, job: Job, look: Look) -> None:
        told.append(job.training)
        on_look(driver, job, look)

    monkeypatch.setattr(StudyDriver, "on_look", listen)
    more = {"strategy": strategy, "ar_threshold": 0.5, "training": {"epochs": 8, "batch_size": 8}}
    alone = run(tmp_path / "alone", Machines(cores=1), **more)
    assert told == []
    together = run(tmp_path / "together", Machines(cores=2), **more)
    assert len(told[0].tasks) == 3
    assert all(len(training.tasks) > 1 for training in told)  # on a busy machine, a pair may begin as early
    assert together[0] == alone[0]
    assert together[1].keys() >= alone[1].keys()
    for training, found in alone[1].items():
        assert together[1][training] == found
    assert together[2] == alone[2]
