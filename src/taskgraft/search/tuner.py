"""Ray Tune: runs what the search asks for, on reused one-core actors.

The trainings of a study are one Tune experiment. A searcher hands Tune whatever the driver wants next; an actor trains
one model after the other without starting a new process. Workers return values; they never see the database.
"""

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from taskgraft.errors import TrainingFailed, Unavailable
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.search.trial import Training

_RETRIES = 2
"""How often a training is started again when its worker died (not when it raised)."""
_OBJECT_STORE_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Job:
    """A training with everything that its result depends on beside the data."""

    training: Training
    seed: int
    references: Mapping[str, float]


class Driver(Protocol):
    """What the tuner works for: it says what to train, and hears what came of it. Called from one thread."""

    def next_job(self) -> Job | None:
        """The next training to start; None while there is nothing to start yet.

        Raises:
            StopIteration: the search is over.
        """

    def on_progress(self, job: Job, fraction: float, worker: str) -> None:
        """A training goes on."""

    def on_measured(self, job: Job, measurement: Measurement) -> None:
        """A training ended well."""

    def on_failed(self, job: Job, error: str) -> None:
        """A training ended without a measurement, though it was tried again."""

    def should_stop(self) -> bool:
        """Whether to leave everything as it is and come back."""


class _Worker(tune.Trainable):
    """Trains one model after the other on one core."""

    def setup(  # type: ignore[override]  # Ray passes what `tune.with_parameters` holds
        self, config: dict[str, Any], data: StudyData, schedule: Schedule
    ) -> None:
        self._data = data
        self._schedule = schedule
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        training = Training.from_key(new_config["key"])
        references = new_config["references"] or None
        self._trainer = Trainer(training.tree, self._data, self._schedule, new_config["seed"], references)
        return True

    def step(self) -> dict[str, Any]:
        self._trainer.advance()
        worker = f"{socket.gethostname()}:{os.getpid()}"
        report = {"fraction": self._trainer.fraction, "worker": worker, "done": self._trainer.finished}
        if self._trainer.finished:
            report["measurement"] = self._trainer.measurement(worker)
        return report


class _Asking(Searcher):
    """Between Tune and the driver: what Tune calls a suggestion is a job that the driver wants done."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(metric="fraction", mode="max")
        self._driver = driver
        self._jobs: dict[str, Job] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # FINISHED is a text
        try:
            job = self._driver.next_job()
        except StopIteration:
            return str(Searcher.FINISHED)
        if job is None:
            return None
        self._jobs[trial_id] = job
        return {"key": job.training.key, "seed": job.seed, "references": dict(job.references)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._driver.on_progress(self._jobs[trial_id], result["fraction"], result["worker"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        job = self._jobs.pop(trial_id)
        if result and "measurement" in result:
            self._driver.on_measured(job, result.pop("measurement"))
        elif error:
            self._driver.on_failed(job, "its worker raised an error or died; the service's log has the cause")

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is what a study resumes from."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is what a study resumes from."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune writes its own record of the experiment, which holds the searcher; nobody reads that


class _StopWhenAsked(Stopper):
    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._driver.should_stop()

    def __getstate__(self) -> dict[str, Any]:
        return {}


@contextmanager
def ray_session(address: str | None = None, cpus: int | None = None) -> Iterator[None]:
    """Ray for the time of this block: a cluster at ``address``, or a local one on this machine's cores.

    Raises:
        Unavailable: the cluster does not answer, or a local one can't start.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "3600")
    local: dict[str, Any] = {
        "num_cpus": cpus or os.cpu_count(),
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **({} if address else local))
    except Exception as error:  # Ray raises whatever the layer below it raised
        raise Unavailable(f"Ray does not start ({address or 'local'}): {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def run_jobs(driver: Driver, data: StudyData, schedule: Schedule, name: str) -> None:
    """Train what the driver asks for until it has no more to ask or wants to stop. Needs a `ray_session`."""
    folder = Path(tempfile.mkdtemp(prefix="taskgraft-tune-"))
    worker = tune.with_resources(tune.with_parameters(_Worker, data=data, schedule=schedule), {"CPU": 1})
    try:
        tune.Tuner(
            worker,
            tune_config=tune.TuneConfig(
                search_alg=_Asking(driver),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.trial_id,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=name,
                storage_path=str(folder),
                stop=_StopWhenAsked(driver),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=_RETRIES),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        ).fit()
    except tune.TuneError as error:
        raise TrainingFailed(f"Ray Tune gave up: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
