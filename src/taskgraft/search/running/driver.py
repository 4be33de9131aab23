"""The driver of one study, and the one writer of its ledger: turns decisions into jobs, and results into evidence."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.open_training import Look
from taskgraft.logs import logging_as
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.agenda import Agenda, SearchAgenda
from taskgraft.search.running.ahead import TrainingsAhead
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.forecast import Forecast
from taskgraft.search.running.head_starts import HeadStarts
from taskgraft.search.running.jobs import Job, open_job_for
from taskgraft.search.running.open_jobs import OpenJobs
from taskgraft.search.running.origins import Origins
from taskgraft.search.running.pace import Pace
from taskgraft.search.running.records import Records
from taskgraft.search.running.reuse import Found, Reuse, reduction
from taskgraft.search.strategies.ahead import is_open
from taskgraft.search.strategies.strategy import Ask, Settled, Spent
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.study import Progress, RunningTrial
from taskgraft.search.study.trial import Training, Trial, TrialState

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    started: float
    fraction: float = 0.0
    worker: str = ""


class StudyDriver:
    """Implements `taskgraft.search.running.tuner.Driver` for a study. `snapshot` may be called from another thread.

    With ``reuse``, a training that another study has finished is taken over; ``digest_of`` says which ones are equal.
    At most ``train_ahead`` trainings are under way that nobody has asked for; without ``reuse``, there are none.
    ``on_trial`` is called with the evidence whenever a training has ended. ``lengths`` are those that
    `training.epochs: auto` may try. ``agenda`` says what to train, by default what the study's search asks for.
    """

    def __init__(
        self,
        spec: StudySpec,
        records: Records,
        checkpoints: Checkpoints,
        busy_before: float = 0.0,
        should_stop: Callable[[], bool] = lambda: False,
        reuse: Reuse | None = None,
        digest_of: Callable[[Job], str] = lambda job: "",
        on_trial: Callable[[Evidence], None] = lambda evidence: None,
        lengths: Sequence[int] = (),
        train_ahead: int = 1,
        agenda: Agenda | None = None,
    ) -> None:
        self._agenda = agenda or SearchAgenda(spec)
        self._reuse = reuse
        self._digest_of = digest_of
        self._spec = spec
        self._records = records
        self._checkpoints = checkpoints
        self._busy_before = busy_before
        self._started = time.monotonic()
        self._running: dict[Training, _Running] = {}
        self._lock = threading.Lock()
        self.should_stop = should_stop
        self._on_trial = on_trial
        trials = records.trials()
        self.evidence = Evidence(spec, trials, lengths)
        self._ahead = TrainingsAhead(spec, self.evidence, train_ahead)
        self._head_starts = HeadStarts(checkpoints, trials)
        self._origins = Origins(spec, checkpoints)
        self._open = OpenJobs(spec.errors)
        self._decided: Ask | Settled | None = None
        self._shown: Ask | Settled | None = None
        """The last decision, also while the next one is not made yet; read by other threads."""
        self._forecast: Forecast | None = None
        self._workers = 1
        """The most trainings that were under way at once."""

    def decision(self) -> Ask | Settled:
        """Return what to do next, given what is known and what it cost; the same until a training starts or ends."""
        if self._decided is None:
            asked_for = frozenset(training for training in self._running if training not in self._ahead)
            self._decided = self._shown = self._agenda.decide(self.evidence, Spent(asked_for, self._seconds()))
            with self._lock:
                self._ahead.notice_change(self._decided.trainings if isinstance(self._decided, Ask) else ())
            self._forecast = self._make_forecast(self._decided)
        return self._decided

    def _make_forecast(self, decision: Ask | Settled) -> Forecast | None:
        """Return what follows from a decision for the rest of the study: a value that other threads may read."""
        if isinstance(decision, Settled):
            return None
        return Forecast(
            tasks=len(self._spec.tasks),
            done=self.evidence.facts.count,
            at_least=decision.at_least,
            left=self._head_starts.deduct(
                self._agenda.left(self.evidence, decision),
                (training for training in decision.trainings if training not in self._running),
            ),
            pace=Pace.of(
                self.evidence.facts.measurements,
                self.evidence.stretches,
                has_phases=self._spec.training.algorithm.has_phases,
            ),
        )

    def _seconds(self) -> float:
        return self._busy_before + time.monotonic() - self._started

    def next_job(self) -> Job | None:
        """Return the most urgent training that is not under way; see `Driver`."""
        self.take_over()
        decision = self.decision()
        if isinstance(decision, Settled):
            raise StopIteration
        job = self._due() or self._most_urgent() or self._most_likely()
        if job is None:
            return None
        job = self._with_state(job)
        with self._lock:
            done = self._head_starts.share(job.training) if job.saved else 0.0
            self._running[job.training] = _Running(time.monotonic(), done)
            self._workers = max(self._workers, len(self._running))
        self._decided = None
        return job

    def _most_urgent(self) -> Job | None:
        """Return the first training that is asked for and not under way; None if there is none."""
        decision = self.decision()
        asked = decision.startable(self._spec) if isinstance(decision, Ask) else ()
        training = next((one for one in asked if one not in self._running), None)
        return self._job(training) if training else None

    def _job(self, training: Training) -> Job:
        return self._origins.give(self._agenda.job(training, self.evidence))

    def _with_state(self, job: Job) -> Job:
        """Return the job with what it needs to go on from a saved state, or to leave one."""
        if not job.stopping:
            return job
        return self._head_starts.give(job, self._digest_of(replace(job, with_affinities=False)))

    def _due(self) -> Job | None:
        """Return a training that has to begin before the baselines that wait, so that it does not end long after."""
        decision = self.decision()
        if not self._reuse or not isinstance(decision, Ask) or decision.stage is not Stage.BASELINES:
            return None
        waiting = [one for one in decision.startable(self._spec) if one not in self._running]
        under_way = {one: state.fraction for one, state in self._running.items()}
        workers = max(self._workers, len(under_way) + 1)
        training = self._ahead.due(waiting, under_way, workers, self._seconds())
        return self._start_open(training) if training else None

    def _start_open(self, training: Training) -> Job:
        """Return the job of a training that begins before its references are known; nobody can have trained it yet."""
        job = self._origins.give(open_job_for(training, self._spec, self.evidence))
        self._open.start(job)
        self._ahead.start(training)
        return job

    def _most_likely(self) -> Job | None:
        """Return a training that is likely to be asked for next, if there is one to be made ahead.

        What another study has trained, or this one before it was interrupted, is known without training it.
        """
        while self._reuse and (training := self._ahead.best(self._running.keys(), self._seconds())):
            if is_open(training, self.evidence):
                return self._start_open(training)
            job = self._job(training)
            found = self._reuse.find(job, self._digest_of(job))
            if found is None:
                self._ahead.start(training)
                return job
            self._ahead.answer(training, found)
        return None

    def is_needed(self, job: Job, is_core_free: bool = True) -> bool:
        """Return whether a training that is under way shall go on; see `Driver`."""
        if self._is_over(job):
            return False
        if job.training not in self._ahead:
            return True
        self.take_over()
        decision = self.decision()
        if isinstance(decision, Settled):
            return False
        waiting = 0 if is_core_free else sum(one not in self._running for one in decision.startable(self._spec))
        return job.training not in self._ahead or self._ahead.is_worth_it(job.training, waiting, self._seconds())

    def take_over(self) -> None:
        """Take over what is asked next and other studies have finished, until something has to be trained."""
        while self._reuse and not self.should_stop() and (job := self._most_urgent()):
            found = next(filter(None, self._offers(self._reuse, job)), None)
            if found is None:
                return
            self._end(
                self._records.record(
                    job.training,
                    job.seed,
                    TrialState.COMPLETE,
                    found.measurement,
                    value=reduction(self._spec, job, found.measurement),
                    taken_over_from=self._reuse.origin_of(found),
                )
            )

    def _offers(self, reuse: Reuse, job: Job) -> Iterator[Found | None]:
        """Yield what is found under the digest of the job itself, then of jobs that only measure more."""
        yield reuse.take(job, self._digest_of(job))
        for alike in self._agenda.alike(job):
            found = reuse.take(job, self._digest_of(alike))
            yield found and replace(found, measurement=found.measurement.without_affinities())

    def on_progress(self, job: Job, fraction: float, worker: str) -> None:
        """See `Driver`."""
        if self._is_over(job):
            return
        with self._lock:
            running = self._running[job.training]
            running.fraction, running.worker = fraction, worker

    def on_measured(self, job: Job, measurement: Measurement) -> None:
        """Record the measurement; keep the weights of whatever may become part of a final model. See `Driver`.

        That may be the model of another study: at another threshold, any training that took all its steps.
        """
        ar = reduction(self._spec, job, measurement)
        is_out = ar > self._spec.ar_threshold and self._spec.repeats == 1
        if measurement.weights and not (is_out and measurement.is_censored):
            self._checkpoints.save(job.training, measurement.weights)
        if measurement.state:
            self._checkpoints.save_state(job.training, measurement.state)
        if measurement.remark:
            with logging_as(trial=job.training.key):
                _log.warning("study %s: %s", self._checkpoints.study_id, measurement.remark)
        if self._reuse:
            # Before the ledger: if this process is killed in between, the study takes over its own training.
            self._reuse.keep(job, self._digest_of(job), measurement)
        if job.training in self._ahead:  # no part of the study before it is asked for: `take_over` finds it then
            self._ahead.answer(job.training, measurement)
            self._leave(job.training)
        else:
            self._end(self._records.record(job.training, job.seed, TrialState.COMPLETE, measurement, value=ar))

    def on_look(self, job: Job, look: Look) -> None:
        """See `Driver`."""
        if not self._is_over(job):
            self._open.add(job, look)
            self._judge(job.training)

    def _is_over(self, job: Job) -> bool:
        """Return whether an open job was judged already, or given up."""
        return job.is_open and not self._open.holds(job)

    def _judge(self, training: Training) -> None:
        """Take what an open job has measured, if it is known how it is judged and it has come that far."""
        if found := self._open.resolve(training):
            self.on_measured(*found)

    def _judge_open_jobs(self) -> None:
        """Judge the open jobs whose baselines have ended by now."""
        for job in self._open.without_references():
            if is_open(job.training, self.evidence) or not self._open.holds(job):
                continue
            judged_as = self._with_state(self._job(job.training))
            found = self._reuse.find(judged_as, self._digest_of(judged_as)) if self._reuse else None
            if found or (judged_as.with_affinities and not job.with_affinities):
                self._give_up(job.training, found)
            else:
                self._open.judge_as(judged_as)
                self._judge(job.training)

    def _give_up(self, training: Training, found: Measurement | None) -> None:
        """Forget an open job: another study has trained it, or it misses what is asked for now."""
        self._open.forget(training)
        self._ahead.stop(training)
        if found:
            self._ahead.answer(training, found)
        self._leave(training)

    def on_stopped(self, job: Job) -> None:
        """See `Driver`."""
        if self._is_over(job):
            return
        if self._open.has_ended(job):
            self._ahead.wait(job.training)
        else:
            self._open.forget(job.training)
            self._ahead.stop(job.training)
        self._leave(job.training)

    def on_failed(self, job: Job, error: str) -> None:
        """See `Driver`. If nobody has asked for the training, its failure is no matter until somebody does."""
        if self._is_over(job):
            return
        self._open.forget(job.training)
        if job.training in self._ahead:
            self._ahead.refuse(job.training)
            self._leave(job.training)
            return
        with logging_as(trial=job.training.key):
            _log.warning("study %s: a training failed: %s", self._checkpoints.study_id, error)
        self._end(self._records.record(job.training, job.seed, TrialState.FAILED, error=error))

    def _end(self, trial: Trial) -> None:
        self._leave(trial.training)
        self._head_starts.add(trial)
        self.evidence.add(trial)
        self._on_trial(self.evidence)
        self._judge_open_jobs()

    def _leave(self, training: Training) -> None:
        with self._lock:
            self._running.pop(training, None)
        self._decided = None

    def log_ahead(self) -> None:
        """Log how many trainings were made ahead, and how many of them the study has asked for."""
        if self._ahead.made:
            _log.info("study %s: %s", self._checkpoints.study_id, self._ahead.summary)

    def report(self) -> tuple[Stage | None, Progress, tuple[RunningTrial, ...]]:
        """Return what is written with every renewal of the lease."""
        shown = self._shown
        return (shown.stage if isinstance(shown, Ask) else None, *self.snapshot())

    def snapshot(self) -> tuple[Progress, tuple[RunningTrial, ...]]:
        """Return how far the study is."""
        with self._lock:
            running = {one: (state, one in self._ahead) for one, state in self._running.items()}
            ahead = [1.0] * self._ahead.ended
        now = time.monotonic()
        shown = tuple(
            RunningTrial(
                one.tasks,
                one.shared,
                one.repeat,
                state.fraction,
                now - state.started,
                state.worker,
                is_ahead,
                one.is_trunk,
                one.recipe,
            )
            for one, (state, is_ahead) in running.items()
        )
        ahead += [trial.fraction for trial in shown if trial.ahead]
        return self._progress([trial.fraction for trial in shown if not trial.ahead], ahead), shown

    def _progress(self, under_way: Sequence[float], ahead: Sequence[float]) -> Progress:
        done, taken_over = self.evidence.facts.count, self.evidence.facts.taken_over
        if forecast := self._forecast:
            return replace(forecast.progress(done, under_way, self._workers, ahead), taken_over=taken_over)
        return Progress(done, done, 1.0 if done else 0.0, taken_over=taken_over)
