"""The steps of a study from its datasets to its bundle, in order; it may be stopped and resumed anywhere."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.errors import Conflict, InvalidInput, LeaseLost, NotFound, TaskgraftError, Unavailable
from taskgraft.evaluators import bundle
from taskgraft.evaluators.datasets.audio import read_audio
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.digest import training_digest
from taskgraft.evaluators.export import export_bundle
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData, load_study_data
from taskgraft.evaluators.threads import use_one_thread
from taskgraft.logs import logging_as
from taskgraft.search.comparison.documents import write_comparison
from taskgraft.search.comparison.protocol import Known
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.length import study_lengths
from taskgraft.search.running.agenda import Agenda, ComparisonAgenda, SearchAgenda
from taskgraft.search.running.artifacts import (
    Checkpoints,
    feature_cache,
    remove_earlier_tune_dirs,
    remove_study_files,
    replacing_artifacts,
    tune_dir,
)
from taskgraft.search.running.comparing import compare
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.fence import LeaseFence
from taskgraft.search.running.final import FinalReport, final_report
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.lease import LEASE_SECONDS, LeaseKeeper
from taskgraft.search.running.matrix_keeper import MatrixKeeper
from taskgraft.search.running.outlook import Outlook
from taskgraft.search.running.own_data import data_of
from taskgraft.search.running.ray_session import count_gpus, ray_session
from taskgraft.search.running.records import Records
from taskgraft.search.running.reuse import Reuse
from taskgraft.search.running.sources import StudySources
from taskgraft.search.running.tuner import run_jobs
from taskgraft.search.running.workers import Workers
from taskgraft.search.store import DatabaseAway, Store
from taskgraft.search.strategies.explanation import tree_form
from taskgraft.search.strategies.strategy import Ask, Settled
from taskgraft.search.study.device import CPU, choose_device
from taskgraft.search.study.lease import Held
from taskgraft.search.study.machines import THIS_MACHINE, Machines
from taskgraft.search.study.preparation import PreparedStudy, prepare, to_facts
from taskgraft.search.study.result import Result
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Progress, Study
from taskgraft.space.cost import independent_parameters
from taskgraft.space.document import FOUND, tree_document
from taskgraft.space.matrix import ReductionMatrix
from taskgraft.space.pictures.matrix import draw_reduction_matrix
from taskgraft.space.pictures.tree import draw_tree
from taskgraft.space.pictures.tree_words import costs_of_form
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template

_log = logging.getLogger(__name__)
_EXAMPLES = 4
"""Test clips of every task that the exported model is checked on."""


class _Stopped(Exception):
    """Raised to leave the work: a user or the runner wants it to stop."""


class StudyRun:
    """One runner's work on one study that it holds the lease of."""

    def __init__(
        self,
        store: Store,
        held: Held,
        data_dir: Path,
        *,
        base: Path | None = None,
        machines: Machines = THIS_MACHINE,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._store = store
        self._study = held.study
        self._held_under = held.lease
        self._facts = dict(held.study.facts)
        self._data_dir = data_dir
        self._base = base
        self._machines = machines
        self.lease = LeaseKeeper(store, held.lease, lease_seconds)
        self._insist = self.lease.patience.insist
        self._fence = LeaseFence(store, held.lease, self.lease.patience)
        self._checkpoints = Checkpoints(data_dir, held.study.id, self._fence)

    def run(self) -> Study:
        """Work until the study is finished, fails, or has to stop; the store has the outcome in any case.

        Trouble of the environment (a full disk, Ray) leaves the study paused, with the reason: what was measured is
        kept, and it goes on from there when it is resumed. A database that is away is waited for. If another runner has
        taken the study meanwhile, this one ends without changing anything any more.

        Raises:
            NotFound: the study was deleted meanwhile.
            Unavailable: not even the outcome can be written; the study goes on when the lease has run out.
        """
        with logging_as(study=self._study.id, owner=self._held_under.owner), self.lease:
            try:
                self._work_and_end()
            except LeaseLost as error:
                _log.warning("the work on study %s ends here: %s", self._study.id, error)
        try:
            return self._insist(lambda: self._store.get_study(self._study.id))
        except NotFound:
            remove_study_files(self._data_dir, self._study.id)
            raise

    def _work_and_end(self) -> None:
        try:
            self._work()
        except _Stopped:
            self._let_go()
        except (DatabaseAway, LeaseLost):
            raise
        except (Unavailable, OSError, MemoryError) as error:  # not a fault of the study
            self._end(State.PAUSED, str(error))
        except TaskgraftError as error:
            self._end(State.FAILED, str(error))
        except Exception as error:
            _log.exception("study %s failed", self._study.id)
            self._end(State.FAILED, f"unexpected {type(error).__name__}: {error}")

    def _end(self, state: State, reason: str | None, **found: Any) -> None:
        """Store how the work ended, unless a user, who may have deleted it, or another runner was quicker."""
        if self.lease.should_stop():
            self._let_go()
            return
        try:
            if state.is_final:  # before it is stored: nobody looks for states of a study that has ended
                self._checkpoints.drop_states()
            self._finish(state, reason=reason, **found)
        except LeaseLost:
            raise
        except (Conflict, NotFound):
            self._let_go()

    def _finish(self, state: State, **found: Any) -> None:
        def finish() -> Study:
            return self._store.finish(self._held_under, state, **found)

        self._insist(lambda: self.lease.end(finish))

    def _let_go(self) -> None:
        """End as the user wants it: cancelled, paused, or back in the queue for another runner."""
        with suppress(NotFound):  # paused and deleted
            if self._store.get_study(self._study.id).state is State.CANCELLING:
                self._checkpoints.drop_states()
                self._finish(State.CANCELLED)
            else:
                self.lease.end(lambda: self._store.release(self._held_under))

    def _work(self) -> None:
        use_one_thread()
        self._enter(self._study.stage or Stage.BASELINES)
        self._remove_left_overs()
        sources = StudySources.of(self._store, self._study.datasets, self._data_dir)
        prepared = prepare(
            self._study.spec,
            data_dir=self._data_dir,
            base=self._base,
            registered=sources.manifests(),
            progress=lambda done, total: self._check_stop(),
        )
        device = self._device()
        data = self._load(prepared, sources)
        keeper = MatrixKeeper(self._study.spec, self._store.ledger(self._study.id).trials, self._keep_matrix)
        with keeper:
            driver = self._search(prepared, data, device, keeper.notice)
        self._check_stop()
        decision = driver.decision()
        if not isinstance(decision, Settled):
            raise Unavailable("Ray Tune ended before the search did")
        progress, _ = driver.snapshot()
        self._enter(Stage.EXPORT, progress)
        if self._study.comparison:
            self._compare(prepared, data, Known(self._study.comparison, driver.evidence))
        else:
            self._deliver(prepared, data, driver, decision)

    def _remove_left_overs(self) -> None:
        """Delete what earlier runners of the study, which were killed or lost it, had under way."""
        remove_earlier_tune_dirs(self._data_dir, self._held_under, self._fence)
        self._checkpoints.drop_partials()

    def _deliver(self, prepared: PreparedStudy, data: StudyData, driver: StudyDriver, decision: Settled) -> None:
        """End a search with its tree, its verdict and the bundle."""
        report = final_report(prepared, data, driver.evidence, self._checkpoints, decision.tree)
        result = _result(report, data.template, prepared.tasks)
        document = self._document(driver.evidence, report, prepared.tasks)
        self._export(prepared, data, report, document)
        reason = "; ".join(filter(None, (decision.reason, report.reason))) or None
        self._end(State.SUCCEEDED, reason, result=result, tree=document)

    def _document(self, evidence: Evidence, report: FinalReport, tasks: Sequence[Task]) -> dict[str, Any]:
        """Return the tree form of the model, with what forced the branchings of the tree that was found."""
        spec = self._study.spec
        found = tree_form(spec, evidence, report.found, tasks)
        made = tree_document(report.tree, spec.encoder, spec.ar_threshold, tasks)
        parameters = report.sizes.nominal_parameters
        heads = sum(weight.numel() for weight in report.model.heads.parameters())  # nothing is pruned of these
        sizes = {"parameters": parameters, "encoder_parameters": parameters - heads}
        other = {} if report.tree == report.found else {FOUND: report.found.to_json()}
        return {**found, **made, **sizes, **other}

    def _compare(self, prepared: PreparedStudy, data: StudyData, known: Known) -> None:
        """End a comparison with its table."""
        table = compare(prepared, data, known, self._checkpoints, self._check_stop)
        with replacing_artifacts(self._data_dir, self._held_under, self._fence) as folder:
            write_comparison(folder, self._study.spec.name, table)
        self._keep_facts({"comparison_table": table.to_json()})
        reason = "; ".join(f"{refusal.system}: {refusal.reason}" for refusal in table.refusals)
        self._end(State.SUCCEEDED, reason or None)

    def _check_stop(self) -> None:
        if self.lease.should_stop():
            raise _Stopped

    def _enter(self, stage: Stage, progress: Progress | None = None) -> None:
        self.lease.report(lambda: (stage, progress, ()))
        self.lease.renew()

    def _agenda(self, prepared: PreparedStudy) -> Agenda:
        comparison = self._study.comparison
        return ComparisonAgenda(comparison) if comparison else SearchAgenda(self._study.spec, prepared.tasks)

    def _train_ahead(self, workers: Workers) -> int:
        """Return how many models may be trained ahead; nothing that is asked for becomes slower by them."""
        is_idle = workers.share_nothing and not self._study.comparison  # a comparison asks for all that it can
        return self._machines.train_ahead if is_idle else 0

    def _device(self) -> str:
        """Return what the study trains on: what it started with, since results of two devices differ.

        Raises:
            Unavailable: it needs a GPU, and there is none.
        """
        asked = self._study.device or self._study.spec.training.device
        device = choose_device(asked, 0 if asked == CPU else count_gpus(self._machines))
        if self._study.device is None:
            self._keep_facts({"device": device})
        return device

    def _load(self, prepared: PreparedStudy, sources: StudySources) -> StudyData:
        """Return the study's data; on a resumed study only if the datasets are what they were.

        Raises:
            InvalidInput: a dataset changed since it was checked, or since the study first started.
        """
        fingerprints = prepared.fingerprints()
        sources.check(fingerprints)
        known = self._study.facts.get("fingerprints")
        if known is None:
            self._keep_facts({"fingerprints": fingerprints, "tasks": to_facts(prepared.tasks)})
        elif changed := sorted(name for name in fingerprints if fingerprints[name] != known.get(name)):
            raise InvalidInput.at(
                "dataset",
                f"{', '.join(changed)} changed since this study started, so its trials do not compare any more; "
                "start a new study",
            )
        return load_data(prepared, fingerprints, self._data_dir)

    def _keep_facts(self, found: Mapping[str, Any]) -> None:
        facts = {**self._facts, **found}
        self._insist(lambda: self._store.set_facts(self._held_under, facts))
        self._facts = facts

    def _keep_matrix(self, matrix: ReductionMatrix, trials: int) -> None:
        self._store.findings.keep_matrix(self._study.id, matrix, trials, self._held_under)

    def _search(self, prepared: PreparedStudy, data: StudyData, device: str, notice: Callable[[], None]) -> StudyDriver:
        """Train until the tree is settled or the work is to stop; ``notice`` is called when a training has ended."""
        spec, stop = self._study.spec, self.lease.should_stop
        busy = self._insist(lambda: self._store.busy_seconds(self._study.id))
        records = Records(self._store, self._held_under, self.lease.patience)
        outlook = Outlook(prepared, self._keep_facts)
        checkpoints, lengths = self._checkpoints, study_lengths(spec, data.epoch_clips)
        workers = Workers(device, spec.training.models_per_gpu)

        def on_trial(evidence: Evidence) -> None:
            outlook.update(evidence)
            notice()

        driver = StudyDriver(
            spec,
            records,
            checkpoints,
            busy,
            stop,
            Reuse(spec, records, checkpoints),
            partial(training_digest_of, data=data, spec=spec, device=device),
            on_trial,
            lengths,
            self._train_ahead(workers),
            self._agenda(prepared),
        )
        outlook.update(driver.evidence)
        self.lease.report(driver.report)
        driver.take_over()
        folder = tune_dir(self._data_dir, self._held_under)
        if not stop() and isinstance(driver.decision(), Ask):
            with ray_session(self._machines):
                schedule = schedule_of(spec, next(iter(lengths), None))
                run_jobs(driver, data, schedule, folder, workers)
        driver.log_ahead()
        return driver

    def _export(self, prepared: PreparedStudy, data: StudyData, report: FinalReport, document: dict[str, Any]) -> None:
        with replacing_artifacts(self._data_dir, self._held_under, self._fence) as building:
            export_bundle(
                building,
                model=report.model,
                data=data,
                tree_document=document,
                metrics=dict(report.metrics),
                study=self._study.spec.to_plain(),
                examples=_examples(prepared, data),
                pictures=self._pictures(document),
            )
            if report.quantised:
                (building / bundle.QUANTISED).write_bytes(report.quantised.onnx)

    def _pictures(self, document: Mapping[str, Any]) -> dict[str, str]:
        """Return the pictures of the bundle: the tree, and the matrix that it follows from if there are pairs."""
        pictures = {bundle.TREE_PICTURE: draw_tree(document, costs=costs_of_form(document))}
        found, spec = self._store.findings.matrix(self._study.id), self._study.spec
        if found and found[0].cells:
            pictures[bundle.MATRIX_PICTURE] = draw_reduction_matrix(found[0], spec.depths, spec.ar_threshold)
        return pictures


def training_digest_of(job: Job, data: StudyData, spec: StudySpec, device: str = CPU) -> str:
    """Return a digest that is the same for two trainings exactly if they give the same result."""
    own = schedule_of(spec, job.epochs)
    data = data_of(job.training, own, job.schedule, data)
    schedule = (job.schedule or own).for_tasks(job.training.tasks)
    recipe = schedule.to_plain()
    if device != CPU:
        recipe["device"] = device
    if job.start:
        recipe["start"] = job.start.digest
    if job.teachers:
        recipe["teachers"] = job.teachers.digest
    return training_digest(
        job.training.tree,
        data,
        recipe,
        job.seed,
        job.references,
        with_affinities=job.with_affinities,
        with_unlabelled=schedule.algorithm.learns_from_unlabelled,
        with_lookaheads=job.with_lookaheads,
    )


def load_data(prepared: PreparedStudy, fingerprints: Mapping[str, str], data_dir: Path) -> StudyData:
    """Return labels and features of a study; features that the cache does not have are computed."""
    return load_study_data(
        prepared.corpora,
        fingerprints,
        prepared.labelled,
        prepared.spec.encoder,
        feature_cache(data_dir),
        prepared.spec.training.clip_seconds,
        class_weights=prepared.spec.training.class_weights,
        nuisance=prepared.nuisance,
    )


def schedule_of(spec: StudySpec, epochs: int | None = None) -> Schedule:
    """Return how models of a study are trained, for so many ``epochs`` if the study leaves that open.

    Raises:
        InvalidInput: the study leaves it open, and ``epochs`` are not given.
    """
    return spec.training.schedule_for(epochs)


def _result(report: FinalReport, template: Template, tasks: Sequence[Task]) -> Result:
    return Result(
        verdict=report.verdict,
        ar=report.test.ar,
        ar_interval=report.test.interval,
        parameters=report.sizes.nominal_parameters,
        independent_parameters=independent_parameters(template, tasks),
        macs_per_second=report.sizes.macs_per_second,
        verified_for=report.verified_for,
        scope=report.scope,
        tasks=report.test.tasks,
        retrained=report.retrained,
        compression=report.compressed,
    )


def _examples(prepared: PreparedStudy, data: StudyData) -> list[NDArray[np.float32]]:
    """Return waveforms of the first test clips of every task."""
    rate = data.template.front_end.sample_rate
    return [
        read_audio(prepared.corpora[task.corpus].audio(int(clip)), rate)
        for task in data.tasks.values()
        for clip in task.clips[Split.TEST][:_EXAMPLES]
    ]
