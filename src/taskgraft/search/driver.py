"""The driver of one study, and the one writer of its ledger: turns decisions into jobs, and results into evidence."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import accuracy_reduction
from taskgraft.search.artifacts import Checkpoints
from taskgraft.search.evidence import Evidence
from taskgraft.search.spec import StudySpec
from taskgraft.search.store import Ledger
from taskgraft.search.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study import Progress, RunningTrial, Stage
from taskgraft.search.trial import Training, TrialState
from taskgraft.search.tuner import Job


@dataclass(slots=True)
class _Running:
    started: float
    fraction: float = 0.0
    worker: str = ""


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
        self._done_before = self.evidence.count
        self._decided: tuple[tuple[int, int], Ask | Settled] | None = None

    def decision(self) -> Ask | Settled:
        """What is to be done next, given what is known and what it cost."""
        now = (self.evidence.count, len(self._running))
        if self._decided is None or self._decided[0] != now:
            self._decided = now, decide(self._spec, self.evidence, Spent(sum(now), self._seconds()))
        return self._decided[1]

    def _seconds(self) -> float:
        return self._busy_before + time.monotonic() - self._started

    def next_job(self) -> Job | None:
        """The most urgent training that is not under way; see `Driver`."""
        decision = self.decision()
        if isinstance(decision, Settled):
            if self._running:
                return None
            raise StopIteration
        left_over = self._running.keys() - set(decision.trainings)
        if decision.stage is Stage.VERIFICATION and left_over:
            return None  # a pair that is still under way may yet change the tree
        training = next((one for one in decision.trainings if one not in self._running), None)
        if training is None:
            return None
        with self._lock:
            self._running[training] = _Running(time.monotonic())
        references = self.evidence.references(training.tasks) if len(training.tasks) > 1 else {}
        return Job(training, self._spec.seed + training.repeat, references)

    def on_progress(self, job: Job, fraction: float, worker: str) -> None:
        """See `Driver`."""
        with self._lock:
            running = self._running[job.training]
            running.fraction, running.worker = fraction, worker

    def on_measured(self, job: Job, measurement: Measurement) -> None:
        """Record the measurement; keep the weights of whatever may become part of the final model. See `Driver`."""
        ar = accuracy_reduction(job.references, measurement.metrics) if job.references else 0.0
        if measurement.weights and (len(job.training.tasks) != 2 or ar <= self._spec.ar_threshold):
            self._checkpoints.save(job.training, measurement.weights)
        trial = self._ledger.record(job.training, job.seed, TrialState.COMPLETE, measurement, value=ar)
        self._end(job.training)
        self.evidence.add(trial)

    def on_failed(self, job: Job, error: str) -> None:
        """See `Driver`."""
        trial = self._ledger.record(job.training, job.seed, TrialState.FAILED, error=error)
        self._end(job.training)
        self.evidence.add(trial)

    def _end(self, training: Training) -> None:
        with self._lock:
            del self._running[training]

    def report(self) -> tuple[Stage | None, Progress, tuple[RunningTrial, ...]]:
        """What the lease says of this study with every renewal."""
        decided = self._decided[1] if self._decided else None
        return (decided.stage if isinstance(decided, Ask) else None, *self.snapshot())

    def snapshot(self) -> tuple[Progress, tuple[RunningTrial, ...]]:
        """How far the study is."""
        with self._lock:
            running = dict(self._running)
        now = time.monotonic()
        shown = tuple(
            RunningTrial(one.tasks, one.shared, one.repeat, state.fraction, now - state.started, state.worker)
            for one, state in running.items()
        )
        return self._progress(sum(trial.fraction for trial in shown)), shown

    def _progress(self, under_way: float) -> Progress:
        done = self.evidence.count
        decided = self._decided[1] if self._decided else None
        left = decided.at_least if isinstance(decided, Ask) else 0
        planned = max(done + left, done)
        here = done - self._done_before + under_way
        rate = here / max(time.monotonic() - self._started, 1e-9)
        eta = (left - under_way) / rate if here > 0 and left else None
        return Progress(done, planned, min(1.0, (done + under_way) / planned) if planned else 0.0, eta)
