"""Before the first training: are all datasets there, and do they have the labels that the study asks for?"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import Corpus, read_corpus
from taskgraft.evaluators.datasets.progress import Progress
from taskgraft.evaluators.datasets.registry import resolve_dataset
from taskgraft.evaluators.kinds.nuisance import read_nuisance
from taskgraft.evaluators.kinds.registry import task_targets
from taskgraft.evaluators.labelled import LabelledTask
from taskgraft.evaluators.weighting.extra import check_installed
from taskgraft.search.study.compression_spec import check_sizes
from taskgraft.search.study.encoder import check_no_import
from taskgraft.search.study.nuisance import at_nuisance, nuisance_of
from taskgraft.search.study.outline import within
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.task_spec import TaskSpec
from taskgraft.space.tasks import Task, TaskKind


@dataclass(frozen=True, slots=True, eq=False)
class PreparedStudy:
    """A study whose datasets were found and whose labels were read; no audio was opened yet."""

    spec: StudySpec
    corpora: Mapping[str, Corpus]
    labelled: tuple[LabelledTask, ...]
    nuisance: LabelledTask | None = None
    """A label that is no task, which models are trained against."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks as the search space sees them."""
        return tuple(labelled.task for labelled in self.labelled)

    def fingerprints(self) -> dict[str, str]:
        """Return the digest of every dataset's content: manifest, segments and audio. Reads every file.

        Raises:
            InvalidInput: a file of a dataset can't be read.
        """
        return {name: fingerprint(corpus) for name, corpus in self.corpora.items()}


def prepare(
    spec: StudySpec,
    *,
    data_dir: Path,
    base: Path | None = None,
    registered: Mapping[str, Path] = MappingProxyType({}),
    progress: Progress | None = None,
) -> PreparedStudy:
    """Find the datasets of a study and read the labels of its tasks.

    ``registered`` are the manifests of datasets that a service knows by name. Other manifests are looked up relative
    to ``base``; without it, only names are accepted, and no encoder of a user's own. ``progress`` is called if a
    corpus has to be made first.

    Raises:
        InvalidInput: with the faults of every task, each naming its field.
        Unavailable: a dataset that has to be made first, and can't be.
    """
    if base is None:
        check_no_import(spec.imported)
    faults = FaultLog()
    try:
        check_installed(spec.training.loss_weighting)
    except InvalidInput as error:
        faults.include(error)

    def find(dataset: str) -> Path:
        if dataset in registered:
            return registered[dataset]
        return resolve_dataset(dataset, base or data_dir, data_dir, allow_paths=base is not None, progress=progress)

    corpora = _corpora(spec, find, faults)
    labelled = []
    for place, task in enumerate(spec.tasks):
        if task.dataset in corpora:
            try:
                labelled.append(_labelled(task, corpora[task.dataset]))
            except InvalidInput as error:
                faults.include(within(f"tasks.{place}", error))
    nuisance = _nuisance(spec, corpora, faults)
    faults.raise_if_any()
    prepared = PreparedStudy(spec, corpora, tuple(labelled), nuisance)
    check_sizes(spec.compression, spec.encoder, prepared.tasks)
    return prepared


def to_facts(tasks: Iterable[Task]) -> list[dict[str, Any]]:
    """Return tasks as the facts of a study keep them: sizes follow from these even when the datasets are gone."""
    return [
        {"name": task.name, "kind": task.kind.value, "classes": task.classes}
        | ({"head": task.head} if task.head else {})
        for task in tasks
    ]


def tasks_from_facts(facts: Mapping[str, Any]) -> tuple[Task, ...] | None:
    """Return the tasks that a study found when it first started; None before that."""
    if "tasks" not in facts:
        return None
    return tuple(
        Task(known["name"], TaskKind(known["kind"]), known["classes"], known.get("head")) for known in facts["tasks"]
    )


def _corpora(spec: StudySpec, find: Callable[[str], Path], faults: FaultLog) -> dict[str, Corpus]:
    found: dict[str, Corpus] = {}
    first_use = {task.dataset: place for place, task in reversed(list(enumerate(spec.tasks)))}
    for dataset, place in sorted(first_use.items(), key=lambda item: item[1]):
        try:
            manifest = find(dataset)
        except InvalidInput as error:
            faults.include(within(f"tasks.{place}", error))
            continue
        try:
            found[dataset] = read_corpus(manifest, dataset)
        except InvalidInput as error:
            listed = [Fault(f"tasks.{place}.dataset", str(fault)) for fault in error.faults]
            faults.include(InvalidInput(listed, error.more))
    return found


def _nuisance(spec: StudySpec, corpora: Mapping[str, Corpus], faults: FaultLog) -> LabelledTask | None:
    try:
        task = nuisance_of(spec)
        if task is None or task.dataset not in corpora:
            return None
        targets = read_nuisance(corpora[task.dataset], str(task.target))
    except InvalidInput as error:
        faults.include(at_nuisance(error, spec))
        return None
    return LabelledTask(task.to_task(len(targets.label_set)), task.dataset, task.metric, targets)


def _labelled(task: TaskSpec, corpus: Corpus) -> LabelledTask:
    targets = task_targets(corpus, task.target, task.kind)
    return LabelledTask(task.to_task(len(targets.label_set)), task.dataset, task.metric, targets)
