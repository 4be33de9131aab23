"""What is logged of a study and of its trainings: plain names and numbers, without MLflow."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from taskgraft.evaluators.metrics import accuracy_reduction
from taskgraft.search.store.trials import Baselines
from taskgraft.search.study.result import Result
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Trial

_STRANGE = re.compile(r"[^A-Za-z0-9_./ -]")
_LONGEST_VALUE = 500

Points = tuple[tuple[str, float, int], ...]
"""Name, value and step."""


@dataclass(frozen=True, slots=True)
class Record:
    """One run: a name, tags, parameters as text, and metrics by step."""

    name: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    points: Points = field(repr=False)


def study_record(study: Study, epoch: int) -> Record:
    """Return what is logged of a study itself."""
    tags = {**_tags(study.id, epoch), "taskgraft.state": study.state.value}
    if study.result:
        tags |= {"taskgraft.verdict": study.result.verdict.value, "taskgraft.scope": study.result.scope}
    points = tuple((name, value, 0) for name, value in _figures(study))
    return Record(study.spec.name, tags, dict(_flat(study.spec.to_plain())), points)


def training_record(spec: StudySpec, trial: Trial, baselines: Baselines, epoch: int) -> Record:
    """Return what is logged of a training; ``baselines`` are those of its study."""
    training = trial.training
    parameters = {
        "tasks": ", ".join(training.tasks),
        "shared_blocks": str(training.shared),
        "repeat": str(training.repeat),
        "seed": str(trial.seed),
        "epochs": str(training.epochs or spec.training.epochs),
    }
    tags = {"taskgraft.trial": str(trial.number), "taskgraft.epoch": str(epoch)}
    if trial.error is not None:
        tags["taskgraft.error"] = trial.error[:_LONGEST_VALUE]
    if trial.taken_over_from is not None:
        tags["taskgraft.taken_over_from"] = trial.taken_over_from
    points = tuple(_points(spec, trial, baselines))
    return Record(f"{trial.number}: {parameters['tasks']:.100}", tags, parameters, points)


def _tags(study_id: str, epoch: int) -> dict[str, str]:
    return {"taskgraft.study": study_id, "taskgraft.epoch": str(epoch)}


def _figures(study: Study) -> Iterator[tuple[str, float]]:
    yield "trainings", study.progress.trials_done
    if result := study.result:
        yield from _of_model(result)
        for task in result.tasks:
            yield f"test/baseline/{task.name}", task.baseline
            yield f"test/final/{task.name}", task.final
            if task.reduction is not None:
                yield f"test/reduction/{task.name}", task.reduction


def _of_model(result: Result) -> Iterator[tuple[str, float]]:
    yield "test/ar", result.ar
    yield "test/ar_lower", result.ar_interval[0]
    yield "test/ar_upper", result.ar_interval[1]
    yield "verified", float(result.verified)
    yield "parameters", result.parameters
    yield "independent_parameters", result.independent_parameters
    yield "macs_per_second", result.macs_per_second


def _points(spec: StudySpec, trial: Trial, baselines: Baselines) -> Iterator[tuple[str, float, int]]:
    measured = trial.measurement
    if measured is None:
        return
    for point in measured.curve:
        step = int(point["step"])
        yield from ((f"validation/{task}", value, step) for task, value in point.items() if task != "step")
    yield from ((f"best/{task}", value, measured.best_step) for task, value in measured.metrics.items())
    yield "seconds", measured.own_seconds, measured.steps
    training, alone = trial.training, baselines.get((trial.training.repeat, trial.training.epochs), {})
    if len(training.tasks) > 1 and not training.is_trunk and set(training.tasks) <= alone.keys():
        references = {task: alone[task] for task in training.tasks}
        # Of a training that was stopped early, it is an upper bound.
        name = "ar_at_most" if measured.is_censored else "ar"
        yield name, accuracy_reduction(references, measured.metrics, spec.errors), measured.steps


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of a specification with dots between their levels; MLflow takes texts only."""
    for name, field_value in value.items():
        key = _STRANGE.sub("_", f"{prefix}{name}")
        if isinstance(field_value, Mapping):
            yield from _flat(field_value, f"{key}.")
        elif field_value is not None:
            text = field_value if isinstance(field_value, str) else json.dumps(field_value)
            yield key, text[:_LONGEST_VALUE]
