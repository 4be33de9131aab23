"""The label that the models of a study are trained against, if its algorithm has one."""

from collections.abc import Iterator

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.kinds.names import all_targets
from taskgraft.search.study.spec import MAX_TASKS, StudySpec
from taskgraft.search.study.task_spec import TaskSpec
from taskgraft.space.tasks import TaskKind

_FIELD = "training.algorithm"


def nuisance_of(spec: StudySpec) -> TaskSpec | None:
    """Return the nuisance in the form of a task, which the study does not have; None if there is none.

    Raises:
        InvalidInput: at its field: a dataset that the study does not have, or none if it has several; what a task asks;
            a template that has no head for it.
    """
    label = spec.training.algorithm.nuisance_label
    if label is None:
        return None
    column, named = label
    dataset = _dataset(spec, named)
    if same := [task.name for task in spec.tasks if task.dataset == dataset and column in all_targets(task.target)]:
        raise InvalidInput.at(f"{_FIELD}.nuisance", f"is no task of the study; got {column}, which {same[0]} is about")
    if TaskKind.CLIP not in spec.encoder.kinds:
        raise InvalidInput.at(_FIELD, f"takes a template with a head for clips, and {spec.template} has none")
    free = next(name for name in _names() if name not in spec.task_names)
    return TaskSpec.model_validate({"name": free, "dataset": dataset, "target": column})


def at_nuisance(error: InvalidInput) -> InvalidInput:
    """Return the error with what it says of a target placed at the field that names the nuisance."""
    at = f"{_FIELD}.nuisance"
    faults = [Fault(at if fault.where == "target" else fault.where, fault.message) for fault in error.faults]
    return InvalidInput(faults, error.more)


def _dataset(spec: StudySpec, named: str | None) -> str:
    datasets = list(dict.fromkeys(task.dataset for task in spec.tasks))
    if named is None and len(datasets) == 1:
        return datasets[0]
    if named is None or named not in datasets:
        got = "none" if named is None else named
        raise InvalidInput.at(
            f"{_FIELD}.dataset", f"one of the datasets of the study: {', '.join(datasets)}; got {got}"
        )
    return named


def _names() -> Iterator[str]:
    """Yield names, one of which no task has."""
    yield "nuisance"
    yield from (f"nuisance-{number}" for number in range(MAX_TASKS))
