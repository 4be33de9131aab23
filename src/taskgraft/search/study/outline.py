"""A study as its datasets' reports describe it: enough to refuse or to plan it, without opening a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.registry import KNOWN, find_manifest
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.weighting.extra import check_installed
from taskgraft.search.study.compression_spec import check_sizes
from taskgraft.search.study.device import check_device
from taskgraft.search.study.nuisance import check_nuisance
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.task_spec import TaskSpec
from taskgraft.space.tasks import Task

FindReport = Callable[[str], CheckReport | None]
"""Returns what is known about a dataset; None while it is being checked.

Raises `InvalidInput` at ``dataset`` for one that does not exist, or is broken.
"""


@dataclass(frozen=True, slots=True)
class TaskOutline:
    """A task, its dataset, and how many of its clips have a label in each split."""

    task: Task
    dataset: str
    clips: Mapping[Split, int]


@dataclass(frozen=True, slots=True)
class StudyOutline:
    """A study whose datasets have what its tasks ask for."""

    spec: StudySpec
    outlines: tuple[TaskOutline, ...]
    """One for each task, in the order of the study; tasks of datasets in ``waiting`` are not among them."""
    reports: Mapping[str, CheckReport]
    waiting: tuple[str, ...] = ()
    """Datasets that are still being checked."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks as the search space sees them."""
        return tuple(outline.task for outline in self.outlines)


def outline_study(spec: StudySpec, find: FindReport) -> StudyOutline:
    """Check the tasks of a study against what is known about their datasets.

    Raises:
        InvalidInput: with the faults of every task, each naming its field.
    """
    faults = FaultLog()
    training = spec.training
    for check in (partial(check_device, training.device), partial(check_installed, training.loss_weighting)):
        try:
            check()
        except InvalidInput as error:
            faults.include(error)
    reports: dict[str, CheckReport | None] = {}
    outlines = []
    for place, task in enumerate(spec.tasks):
        where = f"tasks.{place}"
        if task.dataset not in reports:
            reports[task.dataset] = _found(task.dataset, find, where, faults)
        if (report := reports[task.dataset]) is not None and report.ok:
            try:
                outlines.append(_outline(task, report))
            except InvalidInput as error:
                faults.include(within(where, error))
    try:
        check_nuisance(spec, reports)
    except InvalidInput as error:
        faults.include(error)
    faults.raise_if_any()
    if len(outlines) == len(spec.tasks):
        check_sizes(spec.compression, spec.encoder, [outline.task for outline in outlines])
    known = {name: report for name, report in reports.items() if report is not None}
    return StudyOutline(spec, tuple(outlines), known, tuple(name for name in reports if name not in known))


def find_local_report(dataset: str, base: Path, check: Callable[[Path], CheckReport]) -> CheckReport:
    """Return what is known about a dataset of the command line: a known name, or a manifest relative to ``base``.

    Raises:
        InvalidInput: at ``dataset``: there is none, or ``check`` finds faults.
    """
    if dataset in KNOWN:
        return KNOWN[dataset].report()
    report = check(find_manifest(dataset, base))
    if not report.ok:
        listed = [Fault("dataset", str(fault)) for fault in report.faults]
        raise InvalidInput(listed, report.fault_count - len(listed))
    return report


def within(where: str, error: InvalidInput) -> InvalidInput:
    """Return the error with its faults placed below the field ``where``."""
    faults = [Fault(f"{where}.{fault.where}" if fault.where else where, fault.message) for fault in error.faults]
    return InvalidInput(faults, error.more)


def _found(dataset: str, find: FindReport, where: str, faults: FaultLog) -> CheckReport | None:
    try:
        return find(dataset)
    except InvalidInput as error:
        faults.include(within(where, error))
        return None


def _outline(task: TaskSpec, report: CheckReport) -> TaskOutline:
    found = KINDS[task.kind].outline(task.dataset, task.target, report)
    return TaskOutline(task.to_task(found.classes), task.dataset, found.clips)
