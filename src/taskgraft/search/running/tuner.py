"""Ray Tune: runs what the search asks for, on reused one-core actors.

The trainings of a study are one Tune experiment. A searcher hands Tune whatever the driver wants next; an actor trains
one model after the other without starting a new process. Workers return values; they never see the database.
"""

import logging
import os
import shutil
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.execution import tune_controller
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper
from ray.tune.utils.object_cache import _ObjectCache

from taskgraft.errors import TaskgraftError, TrainingFailed, Unavailable
from taskgraft.evaluators.imported.code import look_in, searched_folders
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.open_training import Look
from taskgraft.evaluators.patching import replaced
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.running.workers import Workers
from taskgraft.search.running.working import Work, to_config
from taskgraft.search.study.trial import Training

if TYPE_CHECKING:  # workers import this module, and do without what makes jobs (scipy, networkx)
    from taskgraft.search.running.jobs import Job

_RETRIES = 2
"""How often a training is started again when its worker died; one that raised would only raise again."""
_LOOK_SECONDS = 1.0
_ONE_CORE_EACH = Workers()
_CACHE = "_ObjectCache"
"""Tune's name for its cache of workers without a job."""


class Driver(Protocol):
    """Decides what to train, and receives what came of it. Called from one thread."""

    def next_job(self) -> "Job | None":
        """Return the next training to start; None while there is nothing to start yet.

        Raises:
            StopIteration: the search is over.
        """

    def on_progress(self, job: "Job", fraction: float, worker: str) -> None:
        """Report the progress of a running training."""

    def on_measured(self, job: "Job", measurement: Measurement) -> None:
        """Report a training that ended with a measurement."""

    def on_look(self, job: "Job", look: Look) -> None:
        """Report an evaluation of an open job; it is stopped if it is not needed afterwards."""

    def on_failed(self, job: "Job", error: str) -> None:
        """Report a training that ended without a measurement, though it was tried again."""

    def is_needed(self, job: "Job", is_core_free: bool = True) -> bool:
        """Return whether a training that is under way shall go on; others may wait for its core if none is free."""

    def on_stopped(self, job: "Job") -> None:
        """Report a training that was stopped because it is not needed, or an open job that has taken all its steps."""

    def should_stop(self) -> bool:
        """Return whether to leave everything as it is, to be continued later."""


class _WorkerResult:
    """What a worker sends at the end: a measurement, or why there is none; of an open job, each evaluation.

    Tune keeps every last result for as long as the experiment lasts, so taking the content empties this.
    """

    def __init__(self, content: Measurement | Look | TaskgraftError) -> None:
        self._content: Measurement | Look | TaskgraftError | None = content

    def take(self) -> Measurement | Look | TaskgraftError | None:
        """Return the content, the first time."""
        content, self._content = self._content, None
        return content


class _Worker(tune.Trainable):
    """Trains one model after the other on one core."""

    def setup(  # type: ignore[override]  # Ray passes what `tune.with_parameters` holds
        self, config: dict[str, Any], data: StudyData, schedule: Schedule, device: str, folders: tuple[str, ...]
    ) -> None:
        look_in(folders)
        self._data = data
        self._schedule = schedule
        self._device = device
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._job = dict(new_config)
        self.config.pop("saved", None)  # Tune sends the configuration back with every report
        self._work: Work | None = None
        return True

    def step(self) -> dict[str, Any]:
        try:
            return self._advance()
        except Exception as error:  # whatever torch, numpy or the disk came up with
            outcome = _WorkerResult(_to_taskgraft_error(error))
            return {"fraction": 0.0, "worker": self._worker, "done": True, "outcome": outcome}

    def _advance(self) -> dict[str, Any]:
        if self._work is None:
            self._work = Work(self._job, self._data, self._schedule, self._device)
        self._work.advance()
        report = {"fraction": self._work.fraction, "worker": self._worker, "done": self._work.finished}
        if look := self._work.look(self._worker):
            report["look"] = _WorkerResult(look)
        elif self._work.finished:
            report["outcome"] = _WorkerResult(self._work.measurement(self._worker))
        return report


def _to_taskgraft_error(error: Exception) -> TaskgraftError:
    if isinstance(error, TaskgraftError):
        return error
    kind = Unavailable if isinstance(error, OSError | MemoryError) else TrainingFailed
    return kind(f"{type(error).__name__}: {error}")


class _Asking(Searcher):
    """Adapts the driver to Tune: a suggestion, in Tune's terms, is a job that the driver wants done.

    Tune swallows or rewrites what its searchers raise. So the first error is kept here, ends the experiment, and is
    raised again afterwards.
    """

    def __init__(self, driver: Driver, workers: Workers) -> None:
        super().__init__(metric="fraction", mode="max")
        self._driver = driver
        self._workers = workers
        self._jobs: dict[str, Job] = {}
        self._lost: list[Job] = []
        """Jobs whose worker died; they are given to another one."""
        self._deaths = Counter[Training]()
        self._slots, self._look_at = 0, 0.0
        self._is_over = False
        self.error: Exception | None = None

    def _has_free_slot(self) -> bool:
        """Return whether a worker is free. A job that waits for one would have been chosen with less knowledge.

        Ray is asked at most once a second: its answer takes milliseconds, and Tune asks for every report.
        """
        now = time.monotonic()
        if now >= self._look_at:
            self._slots = self._workers.slots(ray.cluster_resources())  # type: ignore[no-untyped-call]
            self._look_at = now + _LOOK_SECONDS
        return len(self._jobs) < self._slots

    def _next_job(self) -> "Job | None":
        return self._lost.pop() if self._lost else self._driver.next_job()

    @contextmanager
    def _keeping_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = self.error or error

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # FINISHED is a text
        try:
            job = self._next_job() if self._has_free_slot() else None
        except StopIteration:
            # Not before the last one ended: Tune asks no more, and a worker that dies leaves its job to another one.
            if any(map(self._driver.is_needed, self._jobs.values())):
                return None
            self._is_over = bool(self._jobs)
            return str(Searcher.FINISHED)
        except Exception as error:
            self.error = self.error or error
            return str(Searcher.FINISHED)  # with None, Tune would ask again and again if nothing runs
        if job is None:
            return None
        self._jobs[trial_id] = job
        return to_config(job)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        with self._keeping_errors():
            self._driver.on_progress(self._jobs[trial_id], result["fraction"], result["worker"])

    def on_look(self, trial_id: str, found: _WorkerResult) -> None:
        """Hand over what the last evaluation of an open job found, which may decide whether it goes on."""
        job, look = self._jobs.get(trial_id), found.take()
        if job and isinstance(look, Look) and not self.error:
            with self._keeping_errors():
                self._driver.on_look(job, look)

    def is_needed(self, trial_id: str) -> bool:
        """Return whether a training shall go on, or make room for others."""
        job = self._jobs.get(trial_id)
        try:
            return job is None or self._driver.is_needed(job, self._has_free_slot())
        except Exception as error:
            self.error = self.error or error
            return True

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        job = self._jobs.pop(trial_id, None)
        if job is None or self.error:
            return
        with self._keeping_errors():
            if result and "outcome" in result:
                self._open(job, result["outcome"].take())
            elif error:
                self._requeue(job)
            else:
                self._driver.on_stopped(job)

    def _requeue(self, job: "Job") -> None:
        """Queue the job of a dead worker again. Tune's retries count an idle worker's death for all jobs at once."""
        self._deaths[job.training] += 1
        if self._deaths[job.training] <= _RETRIES:
            self._lost.append(job)
        else:
            times = f"{_RETRIES + 1} times"
            self._driver.on_failed(job, f"its worker did not start, or died, {times}: there may be too little memory")

    def _open(self, job: "Job", content: Measurement | Look | TaskgraftError | None) -> None:
        if isinstance(content, Measurement):
            self._driver.on_measured(job, content)
        elif isinstance(content, Unavailable):
            raise content
        else:
            self._driver.on_failed(job, str(content))

    def should_stop(self) -> bool:
        """Return whether to end the experiment before the driver has no more to ask."""
        return self.error is not None or self._is_over or self._driver.should_stop()

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger is what a study resumes from."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger is what a study resumes from."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune writes its own record of the experiment, which holds the searcher; nobody reads it


class _StopWhenAsked(Stopper):
    def __init__(self, asking: _Asking) -> None:
        self._asking = asking

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        if "look" in result:
            self._asking.on_look(trial_id, result["look"])
        return not result["done"] and not self._asking.is_needed(trial_id)

    def stop_all(self) -> bool:
        return self._asking.should_stop()

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _IdleWorkers(_ObjectCache):
    """Tune's cache of workers without a job, which keeps two of them.

    Tune's own keeps one if no job waits. If both workers of a machine with two cores end together, it would stop
    one of them, and start another for the next job: two CPU seconds each time. No more than two are kept, since idle
    workers hold cores that other studies of a cluster may wait for. Tune has no setting for it.
    """

    class _Room(Counter[Any]):
        def __missing__(self, key: Any) -> int:
            return 2

    def __init__(self, may_keep_one: bool = True) -> None:
        super().__init__(may_keep_one)
        self._max_num_objects = self._Room()


def run_jobs(
    driver: Driver, data: StudyData, schedule: Schedule, folder: Path, workers: Workers = _ONE_CORE_EACH
) -> None:
    """Train what the driver asks for until it has no more to ask or wants to stop. Needs a `ray_session`.

    Each training says its own epochs, and takes the rest from ``schedule``. ``folder`` is Tune's own; what an earlier
    run left there is removed.

    Raises:
        Unavailable: Ray, or the disk, does not do its part.
        TaskgraftError: whatever the driver raised.
    """
    asking = _Asking(driver, workers)
    folders = searched_folders() if data.template.imported else ()
    trainable = tune.with_parameters(_Worker, data=data, schedule=schedule, device=workers.device, folders=folders)
    worker = tune.with_resources(trainable, workers.resources)
    try:
        with _folder(folder), _quiet(), replaced(tune_controller, _CACHE, _IdleWorkers):
            tune.Tuner(
                worker,
                tune_config=tune.TuneConfig(
                    search_alg=asking,
                    num_samples=-1,
                    reuse_actors=True,
                    trial_name_creator=lambda trial: trial.trial_id,
                    trial_dirname_creator=lambda trial: trial.trial_id,
                ),
                run_config=tune.RunConfig(
                    name=folder.name,
                    storage_path=str(folder.parent),
                    stop=_StopWhenAsked(asking),
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=0),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                ),
            ).fit()
    except (tune.TuneError, RayError, OSError, RuntimeError) as error:
        # Ray wraps its own unexpected errors, such as those of its memory monitor; any other is a bug of Taskgraft.
        if isinstance(error, RuntimeError) and not isinstance(error.__cause__, RayError):
            raise
        raise asking.error or Unavailable(f"Ray Tune gave up: {error}") from error
    if asking.error:
        raise asking.error


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Tune's own remarks on trials that failed: the driver reports them in the study's words."""
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
