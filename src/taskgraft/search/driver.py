"""The driver of one study, and the one writer of its ledger: turns decisions into jobs, and results into evidence."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import accuracy_reduction
from taskgraft.evaluators.stopping import Stopping
from taskgraft.search.artifacts import Checkpoints
from taskgraft.search.evidence import Evidence
from taskgraft.search.forecast import Forecast
from taskgraft.search.pace import Pace
from taskgraft.search.remaining import trainings_left
from taskgraft.search.spec import Strategy, StudySpec
from taskgraft.search.store import Ledger
from taskgraft.search.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study import Progress, RunningTrial, Stage
from taskgraft.search.trial import Training, Trial, TrialState
from taskgraft.search.tuner import Job


@dataclass(slots=True)
class _Running:
    started: float
    fraction: float = 0.0
    worker: str = ""


def job_for(training: Training, spec: StudySpec, evidence: Evidence) -> Job:
    """A training with all that its result depends on; its tasks' baselines must be known."""
    seed, tasks = spec.seed + training.repeat, training.tasks
    if len(tasks) == 1:
        return Job(training, seed, {})
    curves = evidence.curves(tasks)
    stops = spec.stops_early and all(curves.values())
    stopping = Stopping(spec.ar_threshold, training.is_probe, curves) if stops else None
    is_first_group = training.tree == evidence.whole_group() and not evidence.affinities()
    asks_affinities = spec.strategy is Strategy.GROUPS and is_first_group
    return Job(training, seed, evidence.first_references(tasks), stopping, asks_affinities)


class StudyDriver:
    """Implements `taskgraft.search.tuner.Driver` for a study. `snapshot` may be called from another thread."""

    def __init__(
        self,
        spec: StudySpec,
        ledger: Ledger,
        checkpoints: Checkpoints,
        busy_before: float = 0.0,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._spec = spec
        self._ledger = ledger
        self._checkpoints = checkpoints
        self._busy_before = busy_before
        self._started = time.monotonic()
        self._running: dict[Training, _Running] = {}
        self._lock = threading.Lock()
        self.should_stop = should_stop
        self.evidence = Evidence(spec, ledger.trials())
        self._decided: Ask | Settled | None = None
        self._shown: Ask | Settled | None = None
        """The last decision, also while the next one is not made yet; read by other threads."""
        self._forecast: Forecast | None = None
        self._workers = 1
        """The most trainings that were under way at once."""

    def decision(self) -> Ask | Settled:
        """What is to be done next, given what is known and what it cost; the same until a training starts or ends."""
        if self._decided is None:
            spent = Spent(frozenset(self._running), self._seconds())
            self._decided = self._shown = decide(self._spec, self.evidence, spent)
            self._forecast = self._look_ahead(self._decided)
        return self._decided

    def _look_ahead(self, decision: Ask | Settled) -> Forecast | None:
        """Return what follows from a decision for the rest of the study: a value that other threads may read."""
        if isinstance(decision, Settled):
            return None
        return Forecast(
            tasks=len(self._spec.tasks),
            done=self.evidence.count,
            at_least=decision.at_least,
            left=trainings_left(self._spec, self.evidence, decision),
            pace=Pace.of(self.evidence.measurements),
        )

    def _seconds(self) -> float:
        return self._busy_before + time.monotonic() - self._started

    def next_job(self) -> Job | None:
        """The most urgent training that is not under way; see `Driver`."""
        decision = self.decision()
        if isinstance(decision, Settled):
            raise StopIteration
        training = next((one for one in decision.trainings if one not in self._running), None)
        if training is None:
            return None
        with self._lock:
            self._running[training] = _Running(time.monotonic())
            self._workers = max(self._workers, len(self._running))
        self._decided = None
        return job_for(training, self._spec, self.evidence)

    def on_progress(self, job: Job, fraction: float, worker: str) -> None:
        """See `Driver`."""
        with self._lock:
            running = self._running[job.training]
            running.fraction, running.worker = fraction, worker

    def on_measured(self, job: Job, measurement: Measurement) -> None:
        """Record the measurement; keep the weights of whatever may become part of the final model. See `Driver`."""
        ar = accuracy_reduction(job.references, measurement.metrics) if job.references else 0.0
        is_out = ar > self._spec.ar_threshold and self._spec.repeats == 1
        if measurement.weights and not is_out:
            self._checkpoints.save(job.training, measurement.weights)
        self._end(self._ledger.record(job.training, job.seed, TrialState.COMPLETE, measurement, value=ar))

    def on_failed(self, job: Job, error: str) -> None:
        """See `Driver`."""
        self._end(self._ledger.record(job.training, job.seed, TrialState.FAILED, error=error))

    def _end(self, trial: Trial) -> None:
        with self._lock:
            del self._running[trial.training]
        self.evidence.add(trial)
        self._decided = None

    def report(self) -> tuple[Stage | None, Progress, tuple[RunningTrial, ...]]:
        """What the lease says of this study with every renewal."""
        shown = self._shown
        return (shown.stage if isinstance(shown, Ask) else None, *self.snapshot())

    def snapshot(self) -> tuple[Progress, tuple[RunningTrial, ...]]:
        """How far the study is."""
        with self._lock:
            running = dict(self._running)
        now = time.monotonic()
        shown = tuple(
            RunningTrial(one.tasks, one.shared, one.repeat, state.fraction, now - state.started, state.worker)
            for one, state in running.items()
        )
        return self._progress([trial.fraction for trial in shown]), shown

    def _progress(self, under_way: Sequence[float]) -> Progress:
        done = self.evidence.count
        if forecast := self._forecast:
            return forecast.progress(done, under_way, self._workers)
        return Progress(done, done, 1.0 if done else 0.0)
