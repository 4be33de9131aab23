"""`training.epochs: auto` for real: a study chooses its training length, is killed on the way, and goes on."""

import signal
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Trial
from tests.api.cli.commands import ONE_CORE, PROGRAM, taskgraft_in, wait_for_trials, write
from tests.evaluators.tones import write_tones

pytestmark = [pytest.mark.slow(30), pytest.mark.usefixtures("one_ray")]

DATABASE = "taskgraft-runs/tones/taskgraft.db"
STUDY = """
name: tones
ar_threshold: 0.9
depths: [8]
training: {batch_size: 8, learning_rate: 0.003}
tasks:
  - {name: pitch, dataset: first/manifest.csv, target: pitch}
  - {name: tone, dataset: first/manifest.csv, target: tone, kind: frames}
"""


def ledger(root: Path) -> tuple[Study, tuple[Trial, ...]]:
    with Store(sqlite_url(root / DATABASE)) as store:
        newest = store.list_studies().items[-1]
        return newest, tuple(store.ledger(newest.id).trials())


def kill_between_lengths(root: Path) -> None:
    """Start the study, and kill it when a training of the second length has ended."""
    command = [*PROGRAM, "run", "study.yaml", *ONE_CORE]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            wait_for_trials(root / DATABASE, running, lambda trials: len(_epochs(trials)) > 1)
        finally:
            running.send_signal(signal.SIGKILL)


def _epochs(trials: Sequence[Trial]) -> set[int | None]:
    return {trial.training.epochs for trial in trials}


def test_a_study_that_was_killed_while_it_looked_for_its_length_goes_on(tmp_path: Path) -> None:
    write_tones(tmp_path / "first")
    write(tmp_path / "study.yaml", STUDY)
    kill_between_lengths(tmp_path)
    _, before = ledger(tmp_path)
    said = taskgraft_in(tmp_path, "run", "study.yaml", *ONE_CORE, "--json")
    assert said.code == 0, said.err
    study, trials = ledger(tmp_path)
    length = said.document["study"]["training_length"]
    assert length["chosen"]
    assert length["looks"][-1]["finding"] == "long enough"
    kept = [(trial.number, trial.training) for trial in trials[: len(before)]]
    assert kept == [(trial.number, trial.training) for trial in before]
    assert set(Counter(trial.training for trial in trials).values()) == {1}
    assert {trial.training.epochs for trial in trials if len(trial.training.tasks) > 1} == {length["epochs"]}
    for trial in trials:
        assert trial.measurement
        assert trial.training.epochs
        assert trial.measurement.planned_steps % trial.training.epochs == 0
    card = next((tmp_path / "taskgraft-runs/tones/studies" / study.id / "artifacts").glob("README.md")).read_text()
    assert f"Trained for {length['epochs']} epochs. What each length showed" in card

    shown = taskgraft_in(tmp_path, "run", "study.yaml", *ONE_CORE)
    assert f"trained for {length['epochs']} epochs" in shown.out

    other = taskgraft_in(tmp_path, "run", "study.yaml", *ONE_CORE, "--threshold", "0.8", "--json")
    assert other.code == 0, other.err
    assert other.document["study"]["spec"]["training"]["epochs"] == length["epochs"]
    assert other.document["study"]["trainings"]["trained"] == 0, "both have the same trainings"
    again = taskgraft_in(tmp_path, "run", "study.yaml", *ONE_CORE, "--threshold", "0.8", "--json")
    assert again.document["study"]["id"] == other.document["study"]["id"]
