"""``python -m benchmarks.scale``: how many trials the real driver, store and Ray sustain if training costs nothing.

Trials sleep as long as real ones take, on many workers of one machine: what is left is the runner's work. Two parts:

- *trials*: a study of many tasks, exhaustive, through `StudyDriver`, `run_jobs` and Ray Tune;
- *ledger*: trials recorded one after the other in an empty database, without Ray, as a study grows.
"""

import argparse
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import psutil
from ray import tune

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running import tuner
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.ray_session import ray_session
from taskgraft.search.running.records import Records
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.machines import Machines
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, TrialState
from taskgraft.space.tree import BranchTree

_CLASSES = 10
_LOOK_EVERY = 50
_LEASE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is simulated: tasks, workers, seconds and reports of a trial, test clips, bytes of weights."""

    tasks: int = 10
    workers: int = 8
    seconds: float = 2.0
    reports: int = 10
    clips: int = 1_000
    weights: int = 200_000

    def spec(self) -> StudySpec:
        """Return the study: exhaustive, so that nearly everything may be trained at once."""
        names = [f"t{place:02}" for place in range(self.tasks)]
        columns = [{"name": name, "dataset": "speech", "target": name} for name in names]
        return StudySpec.parse(
            {"ar_threshold": 0.02, "tasks": columns, "strategy": "exhaustive", "training": {"epochs": 30}}
        )

    def measure(self, training: Training, worker: str) -> Measurement:
        """Return what a training would measure: a task alone gets 80 % right, beside others a little less."""
        right = 0.8 if len(training.tasks) == 1 else 0.77
        outcomes = {task: self._outcomes(right, place) for place, task in enumerate(training.tasks)}
        metrics = dict.fromkeys(training.tasks, right)
        return Measurement(metrics, outcomes, 100, 80, self.seconds, worker, weights=bytes(self.weights))

    def _outcomes(self, accuracy: float, shift: int) -> Outcomes:
        clips = np.arange(self.clips, dtype=np.int32)
        right = np.roll(clips < round(accuracy * self.clips), shift)
        truth = clips % _CLASSES
        return Outcomes.of_classes(clips, truth, np.where(right, truth, (truth + 1) % _CLASSES), np.ones_like(clips))


class _Sleeper(tune.Trainable):
    """Stands in for the worker that trains: the same reports, and a measurement at the end."""

    def setup(self, config: dict[str, Any], data: StudyData, schedule: Schedule, **_: Any) -> None:  # type: ignore[override]
        self._load = Load(**cast("Mapping[str, Any]", data.load))  # type: ignore[attr-defined]
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._training = Training.from_key(new_config["key"])
        self._done = 0
        return True

    def step(self) -> dict[str, Any]:
        time.sleep(self._load.seconds / self._load.reports)
        self._done += 1
        worker = f"{socket.gethostname()}:{os.getpid()}"
        is_over = self._done >= self._load.reports
        report = {"fraction": self._done / self._load.reports, "worker": worker, "done": is_over}
        if is_over:
            report["outcome"] = tuner._WorkerResult(self._load.measure(self._training, worker))
        return report


@dataclass(frozen=True, slots=True)
class Trials:
    """What a simulated study took. ``ideal_seconds`` is what its trials slept, on all workers together.

    ``trials_per_second`` is the rate of the middle three fifths of the trials: workers start one after the other.
    """

    load: Load
    trials: int
    wall_seconds: float
    ideal_seconds: float
    trials_per_second: float
    runner_cpu_seconds: float
    ray_cpu_seconds: float
    runner_bytes_per_trial: float
    worker_bytes: float
    """Of the unique memory of a worker, the mean."""

    @property
    def runner_milliseconds(self) -> float:
        """CPU time that the runner needs for a trial: its inverse is what one runner sustains at most."""
        return 1_000 * self.runner_cpu_seconds / self.trials


def run_trials(load: Load, folder: Path, database_url: str) -> Trials:
    """Drive one study of sleeping trials to its end."""
    spec = load.spec()
    data = cast(StudyData, SimpleNamespace(template=SimpleNamespace(imported=None), load=asdict(load)))
    with Store(database_url) as store, ray_session(Machines(cores=load.workers)), _sleeping():
        study = store.create_study(spec)[0].id
        records = Records(store, store.acquire_study(study, "scale", _LEASE_SECONDS).lease)
        driver = StudyDriver(spec, records, Checkpoints(folder, study), train_ahead=0)
        before, start = _usage(), time.monotonic()
        worker_bytes: list[float] = []
        ends: list[float] = []

        def note(evidence: Evidence) -> None:
            ends.append(time.monotonic())
            worker_bytes.extend(_worker_bytes(evidence.facts.count))

        driver._on_trial = note
        tuner.run_jobs(driver, data, Schedule(30, 64, Optimisation(0.001)), folder / "tune")
        wall, after = time.monotonic() - start, _usage()
        trials = store.ledger(study).trial_count()
    return Trials(
        load,
        trials,
        wall,
        trials * load.seconds / load.workers,
        _steady_rate(ends),
        after.own - before.own,
        after.others - before.others,
        (after.bytes - before.bytes) / trials,
        float(np.mean(worker_bytes or [0.0])),
    )


def _steady_rate(ends: Sequence[float]) -> float:
    first, last = len(ends) // 5, len(ends) - len(ends) // 5 - 1
    return (last - first) / (ends[last] - ends[first])


@contextmanager
def _sleeping() -> Iterator[None]:
    trains = tuner._Worker
    tuner._Worker = _Sleeper  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        tuner._Worker = trains  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class _Usage:
    own: float
    others: float
    bytes: float


def _usage() -> _Usage:
    """Return CPU seconds of this process and of Ray's own ones, and what this process holds."""
    me = psutil.Process()
    own = me.cpu_times()
    others = 0.0
    for child in me.children(recursive=True):
        if child.name() in ("gcs_server", "raylet"):
            used = child.cpu_times()
            others += used.user + used.system
    return _Usage(own.user + own.system, others, me.memory_full_info().uss)


def _worker_bytes(count: int) -> Sequence[float]:
    """Look at the workers now and then."""
    if count % _LOOK_EVERY:
        return ()
    workers = [child for child in psutil.Process().children(recursive=True) if child.name().startswith("ray::")]
    return [float(worker.memory_full_info().uss) for worker in workers]


@dataclass(frozen=True, slots=True)
class Writes:
    """How fast a ledger is written while it grows to so many trials, and what it holds in memory for each new one."""

    trials: int
    per_second: float
    cpu_milliseconds: float
    bytes_per_trial: float


def write_ledger(load: Load, database_url: str, trials: int, every: int) -> list[Writes]:
    """Record trials one after the other, and return the rate of each stretch."""
    spec, found = load.spec(), []
    names = spec.task_names
    measured = load.measure(Training(BranchTree.flat(names[:2], 4, 8)), "here:1")
    with Store(database_url) as store:
        study = store.create_study(spec)[0].id
        records = Records(store, store.acquire_study(study, "scale", _LEASE_SECONDS).lease)
        for first in range(0, trials, every):
            before, start = _usage(), time.monotonic()
            for repeat in range(first, first + every):
                training = Training(BranchTree.flat(names[:2], 4, 8), repeat)
                records.record(training, repeat, TrialState.COMPLETE, measured, value=0.1)
            rate, after = every / (time.monotonic() - start), _usage()
            cpu, held = 1_000 * (after.own - before.own) / every, (after.bytes - before.bytes) / every
            found.append(Writes(first + every, rate, cpu, held))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print one JSON document."""
    usual = Load()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--tasks", type=int, default=usual.tasks)
    parser.add_argument("--workers", type=int, default=usual.workers, help="0 leaves this part out")
    parser.add_argument("--seconds", type=float, default=usual.seconds)
    parser.add_argument("--reports", type=int, default=usual.reports)
    parser.add_argument("--writes", type=int, default=2_000, help="0 leaves this part out")
    parser.add_argument("--database-url", help="an empty database; a new SQLite file by default")
    options = parser.parse_args(arguments)
    load = Load(options.tasks, options.workers, options.seconds, options.reports)
    with tempfile.TemporaryDirectory() as folder:
        url = options.database_url or sqlite_url(Path(folder) / "scale.db")
        writes = write_ledger(load, url, options.writes, max(1, options.writes // 4)) if options.writes else []
        trials = run_trials(load, Path(folder), url) if options.workers else None
    found = {**asdict(trials), "runner_milliseconds": trials.runner_milliseconds} if trials else None
    document = {"trials": found, "writes": [asdict(one) for one in writes]}
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
