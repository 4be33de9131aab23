"""A runner that is killed without warning costs the training at hand, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from taskgraft.search.running.artifacts import artifacts_dir, study_dir
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import Trial
from tests.faults.studies import SEARCHED, TRIALS, findings, lenient_spec, new_folder, open_store, take

ROOT = Path(__file__).parents[2]


def run_until_killed(folder: Path, study_id: str, moment: str) -> None:
    """Start a runner that dies at a moment, and wait until it and all that it started are gone."""
    command = [sys.executable, "-m", "tests.faults.dying", str(folder), study_id, moment]
    log = folder / "dying.log"
    with log.open("w") as output:
        # In a session of its own, which all that it starts belongs to.
        runner = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
        assert runner.wait() == -signal.SIGKILL, log.read_text()
    deadline = time.monotonic() + 60
    while left := members(runner.pid):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.2)


def members(session: int) -> list[str]:
    """Names of the processes of a session. (A mark in their environment would not do: Ray's overwrite theirs.)"""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.name())
        except (psutil.Error, OSError):  # gone meanwhile, or somebody else's
            continue
    return found


def metrics(trial: Trial) -> object:
    return trial.measurement and dict(trial.measurement.metrics)


@pytest.mark.slow
def test_a_study_survives_a_kill_in_each_of_its_stages(tmp_path: Path, undisturbed: tuple[str, Any, Any]) -> None:
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
