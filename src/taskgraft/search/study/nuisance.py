"""The label that models of a study are trained against: its own algorithm's, or that of a comparison's rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.algorithms.adversarial import Adversarial
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.kinds.names import all_targets
from taskgraft.evaluators.kinds.nuisance import outline_nuisance
from taskgraft.search.study.fields import NuisanceLabel
from taskgraft.search.study.spec import MAX_TASKS, StudySpec
from taskgraft.search.study.task_spec import TaskSpec
from taskgraft.space.tasks import TaskKind


@dataclass(frozen=True, slots=True)
class _Fields:
    """What users call the fields that say a nuisance."""

    column: str
    dataset: str


_OF_A_STUDY = _Fields("training.algorithm.nuisance", "training.algorithm.dataset")
_OF_A_COMPARISON = _Fields("nuisance", "nuisance_dataset")


def check_label(spec: StudySpec, column: str | None, dataset: str | None) -> NuisanceLabel | None:
    """Return the label that a comparison of a study trains against; None if it has none.

    Raises:
        InvalidInput: at ``nuisance`` or ``nuisance_dataset``: no text, a dataset without a column, a study that trains
            against a label itself; as `nuisance_of`.
    """
    if column is None:
        if dataset is not None:
            raise InvalidInput.at(
                _OF_A_COMPARISON.dataset, f"is about nuisance, which is not given; got {dataset!r:.80}"
            )
        return None
    if spec.training.algorithm.nuisance_label:
        rule = "is left out if the study's own algorithm trains against a label: then its row is that one"
        raise InvalidInput.at(_OF_A_COMPARISON.column, f"{rule}; got {column!r:.80}")
    try:
        label = Adversarial(column, dataset).nuisance_label
    except InvalidInput as error:
        raise _moved(error, {"dataset": _OF_A_COMPARISON.dataset}) from None
    nuisance_of(spec.reading(label))
    return label


def nuisance_of(spec: StudySpec) -> TaskSpec | None:
    """Return the nuisance in the form of a task, which the study does not have; None if there is none.

    Raises:
        InvalidInput: at its field: a dataset that the study does not have, or none if it has several; what a task asks;
            a template that has no head for it.
    """
    own = spec.training.algorithm.nuisance_label
    label = own or spec.nuisance
    if label is None:
        return None
    column, named = label
    fields = _fields(spec)
    dataset = _dataset(spec, named, fields)
    if same := [task.name for task in spec.tasks if task.dataset == dataset and column in all_targets(task.target)]:
        raise InvalidInput.at(fields.column, f"is no task of the study; got {column}, which {same[0]} is about")
    if TaskKind.CLIP not in spec.encoder.kinds:
        where = "training.algorithm" if own else fields.column
        raise InvalidInput.at(where, f"takes a template with a head for clips, and {spec.template} has none")
    free = next(name for name in _names() if name not in spec.task_names)
    return TaskSpec.model_validate({"name": free, "dataset": dataset, "target": column})


def check_nuisance(spec: StudySpec, reports: Mapping[str, CheckReport | None]) -> None:
    """Check the nuisance of a study, if it has one, against what is known about its dataset.

    Raises:
        InvalidInput: at its field: as `nuisance_of`; a column that the dataset does not have, or that has too few or
            too many labels.
    """
    task = nuisance_of(spec)
    report = reports.get(task.dataset) if task else None
    if task and report is not None and report.ok:
        try:
            outline_nuisance(task.dataset, str(task.target), report)
        except InvalidInput as error:
            raise at_nuisance(error, spec) from None


def at_nuisance(error: InvalidInput, spec: StudySpec) -> InvalidInput:
    """Return the error with what it says of a target placed at the field that names the nuisance of a study."""
    return _moved(error, {"target": _fields(spec).column})


def _fields(spec: StudySpec) -> _Fields:
    return _OF_A_STUDY if spec.training.algorithm.nuisance_label else _OF_A_COMPARISON


def _moved(error: InvalidInput, places: Mapping[str, str]) -> InvalidInput:
    faults = [Fault(places.get(fault.where, fault.where), fault.message) for fault in error.faults]
    return InvalidInput(faults, error.more)


def _dataset(spec: StudySpec, named: str | None, fields: _Fields) -> str:
    datasets = list(dict.fromkeys(task.dataset for task in spec.tasks))
    if named is None and len(datasets) == 1:
        return datasets[0]
    if named is None or named not in datasets:
        got = "none" if named is None else named
        raise InvalidInput.at(fields.dataset, f"one of the datasets of the study: {', '.join(datasets)}; got {got}")
    return named


def _names() -> Iterator[str]:
    """Yield names, one of which no task has."""
    yield "nuisance"
    yield from (f"nuisance-{number}" for number in range(MAX_TASKS))
