"""The steps of a study from its datasets to its bundle, in order; it may be stopped and resumed anywhere."""

import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.errors import Conflict, InvalidInput, NotFound, TaskgraftError, Unavailable
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
from taskgraft.search.running.artifacts import Checkpoints, artifacts_dir, feature_cache, remove_study_files, tune_dir
from taskgraft.search.running.comparing import compare
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.final import FinalReport, final_report
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.lease import Lease
from taskgraft.search.running.outlook import Outlook
from taskgraft.search.running.own_data import data_of
from taskgraft.search.running.ray_session import count_gpus, ray_session
from taskgraft.search.running.reuse import Reuse
from taskgraft.search.running.sources import StudySources
from taskgraft.search.running.tuner import run_jobs
from taskgraft.search.running.workers import Workers
from taskgraft.search.store import Store
from taskgraft.search.strategies.explanation import tree_form
from taskgraft.search.strategies.strategy import Ask, Settled
from taskgraft.search.study.device import CPU, choose_device
from taskgraft.search.study.machines import THIS_MACHINE, Machines
from taskgraft.search.study.preparation import PreparedStudy, prepare, to_facts
from taskgraft.search.study.result import Result
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Progress, Study
from taskgraft.space.cost import independent_parameters
from taskgraft.space.document import FOUND, tree_document
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template

_log = logging.getLogger(__name__)
_BUILDING = ".artifacts-"
_EXAMPLES = 4
"""Test clips of every task that the exported model is checked on."""


class _Stopped(Exception):
    """Raised to leave the work: a user or the runner wants it to stop."""


class StudyRun:
    """One runner's work on one study that it holds the lease of."""

    def __init__(
        self,
        store: Store,
        study: Study,
        owner: str,
        data_dir: Path,
        *,
        base: Path | None = None,
        machines: Machines = THIS_MACHINE,
    ) -> None:
        self._store = store
        self._study = study
        self._facts = dict(study.facts)
        self._owner = owner
        self._data_dir = data_dir
        self._base = base
        self._machines = machines
        self.lease = Lease(store, study.id, owner)

    def run(self) -> Study:
        """Work until the study is finished, fails, or has to stop; the store has the outcome in any case.

        Trouble of the environment (a full disk, Ray, the database) leaves the study paused, with the reason: what was
        measured is kept, and it goes on from there when it is resumed.

        Raises:
            NotFound: the study was deleted meanwhile.
            Unavailable: not even the outcome can be written; the study goes on when the lease has run out.
        """
        with logging_as(study=self._study.id, owner=self._owner), self.lease:
            try:
                self._work()
            except _Stopped:
                self._let_go()
            except (Unavailable, OSError, MemoryError) as error:  # not a fault of the study
                self._end(State.PAUSED, str(error))
            except TaskgraftError as error:
                self._end(State.FAILED, str(error))
            except Exception as error:
                _log.exception("study %s failed", self._study.id)
                self._end(State.FAILED, f"unexpected {type(error).__name__}: {error}")
        try:
            return self._store.get_study(self._study.id)
        except NotFound:
            remove_study_files(self._data_dir, self._study.id)
            raise

    def _end(self, state: State, reason: str | None, **found: Any) -> None:
        """Store how the work ended, unless a user, who may have deleted it, or another runner was quicker."""
        if not self.lease.should_stop():
            if state.is_final:  # before it is stored: nobody looks for states of a study that has ended
                self._checkpoints.drop_states()
            with suppress(Conflict, NotFound):
                self._store.finish(self._study.id, self._owner, state, reason=reason, **found)
                return
        self._let_go()

    def _let_go(self) -> None:
        """End as the user wants it: cancelled, paused, or back in the queue for another runner."""
        with suppress(Conflict, NotFound):  # lost to another runner, or paused and deleted
            if self._store.get_study(self._study.id).state is State.CANCELLING:
                self._checkpoints.drop_states()
                self._store.finish(self._study.id, self._owner, State.CANCELLED)
            else:
                self._store.release(self._study.id, self._owner)

    def _work(self) -> None:
        use_one_thread()
        self._enter(self._study.stage or Stage.BASELINES)
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
        driver = self._search(prepared, data, device)
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
        with self._replacing_artifacts() as folder:
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

    @property
    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self._data_dir, self._study.id)

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
        self._store.set_facts(self._study.id, self._owner, facts)
        self._facts = facts

    def _search(self, prepared: PreparedStudy, data: StudyData, device: str) -> StudyDriver:
        """Train until the tree is settled or the work is to stop."""
        spec, stop = self._study.spec, self.lease.should_stop
        busy = self._store.busy_seconds(self._study.id)
        outlook = Outlook(prepared, self._keep_facts)
        checkpoints, lengths = self._checkpoints, study_lengths(spec, data.epoch_clips)
        workers = Workers(device, spec.training.models_per_gpu)
        driver = StudyDriver(
            spec,
            self._store.ledger(self._study.id),
            checkpoints,
            busy,
            stop,
            Reuse(spec, self._store.trainings, checkpoints),
            partial(training_digest_of, data=data, spec=spec, device=device),
            outlook.update,
            lengths,
            self._train_ahead(workers),
            self._agenda(prepared),
        )
        outlook.update(driver.evidence)
        self.lease.report(driver.report)
        driver.take_over()
        folder = tune_dir(self._data_dir, self._study.id)
        if not stop() and isinstance(driver.decision(), Ask):
            with ray_session(self._machines):
                schedule = schedule_of(spec, next(iter(lengths), None))
                run_jobs(driver, data, schedule, folder, workers)
        driver.log_ahead()
        shutil.rmtree(folder, ignore_errors=True)  # a runner that was killed left it, and nothing was to be trained
        return driver

    def _export(self, prepared: PreparedStudy, data: StudyData, report: FinalReport, document: dict[str, Any]) -> None:
        with self._replacing_artifacts() as building:
            export_bundle(
                building,
                model=report.model,
                data=data,
                tree_document=document,
                metrics=dict(report.metrics),
                study=self._study.spec.to_plain(),
                examples=_examples(prepared, data),
            )
            if report.quantised:
                (building / bundle.QUANTISED).write_bytes(report.quantised.onnx)

    @contextmanager
    def _replacing_artifacts(self) -> Iterator[Path]:
        """Provide a folder beside the artifacts, which is moved to their place when it is whole.

        Raises:
            Unavailable: it can't be written.
        """
        folder = artifacts_dir(self._data_dir, self._study.id)
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left_over in folder.parent.glob(f"{_BUILDING}*"):  # by a runner that was killed
            shutil.rmtree(left_over, ignore_errors=True)
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=folder.parent))
        try:
            yield building
            building.chmod(0o755)
            shutil.rmtree(folder, ignore_errors=True)
            building.rename(folder)
        except OSError as error:
            raise Unavailable(f"the artifacts can't be written to {folder}: {error}") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)


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
