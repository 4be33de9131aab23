"""Trials as Optuna keeps them: parameters, learning curve and readable attributes for a dashboard, and what we read."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from statistics import fmean
from types import MappingProxyType
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.store.optuna_tables import KEY, MEASUREMENT, OUTCOMES
from taskgraft.search.study.trial import Training, Trial, TrialState

_EXACT = 2**53 - 1
"""Optuna keeps parameters as 64-bit floats: whole numbers are exact up to here."""
NUMBER = "trial"
"""The attribute with our number of a trial; those of its Optuna study are numbered by themselves."""
_STATES = MappingProxyType({TrialState.COMPLETE: OptunaState.COMPLETE, TrialState.FAILED: OptunaState.FAIL})


def is_reference(training: Training) -> bool:
    """Return whether a training shares nothing (a baseline) or is where others start from: it has no AR."""
    return len(training.tasks) == 1 or training.is_trunk


def to_entry(
    trial: Trial, tasks: Sequence[str], value: float | None, errors: Collection[str] = frozenset()
) -> FrozenTrial:
    """Return a trial of a study with these tasks in Optuna's form; `Ledger` gives it its number.

    ``value`` is the AR; of a training that has none, the mean of its metrics is kept instead. Of tasks in ``errors``
    the metric is an error: it counts with its sign turned, so that more is better.

    Raises:
        InvalidInput: a seed outside 0..2^53-1, tasks that the study does not have, a value that is not finite, or a
            trial that is complete without a measurement or failed without an error.
    """
    if faults := list(_faults(trial, tasks, value)):
        raise InvalidInput(faults)
    measured = trial.measurement
    if measured and is_reference(trial.training):
        value = _mean(measured.metrics, errors)
    entry = create_trial(
        state=_STATES[trial.state],
        value=(value or 0.0) if measured else None,
        params=_params(trial),
        distributions=_distributions(trial.training, tasks),
        user_attrs=dict(_attributes(trial)),
        system_attrs={KEY: trial.training.key, **(_kept(measured) if measured else {})},
        intermediate_values=_curve(measured, errors) if measured else {},
    )
    if measured and entry.datetime_complete:
        entry.datetime_start = entry.datetime_complete - timedelta(seconds=measured.own_seconds)
    return entry


def _faults(trial: Trial, tasks: Sequence[str], value: float | None) -> Iterator[Fault]:
    if not 0 <= trial.seed <= _EXACT:
        yield Fault("seed", f"a whole number of 0..2^53-1; got {trial.seed}")
    if unknown := set(trial.training.tasks) - set(tasks):
        yield Fault("training", f"the study's tasks are {list(tasks)}; got {sorted(unknown)}")
    found = (trial.measurement is not None, trial.error is not None)
    if found != (trial.state is TrialState.COMPLETE, trial.state is TrialState.FAILED):
        yield Fault(
            "state", "a complete trial has a measurement and no error, a failed one an error and no measurement"
        )
    if value is not None and not math.isfinite(value):
        yield Fault("value", f"a finite number; got {value}")


def _params(trial: Trial) -> dict[str, Any]:
    """Return what a dashboard can sort and plot by; larger trees, and trunks, name no task here."""
    training = trial.training
    named = training.tasks if len(training.tasks) <= 2 and not training.is_trunk else ()
    first, second = (*named, None, None)[:2]
    return {
        "task_a": first,
        "task_b": second,
        "depth": training.shared,
        "repeat": training.repeat,
        "seed": trial.seed,
    }


def _distributions(training: Training, tasks: Sequence[str]) -> dict[str, BaseDistribution]:
    task = CategoricalDistribution((*tasks, None))
    number = IntDistribution(0, _EXACT)
    depth = IntDistribution(0, training.tree.depth)
    return {"task_a": task, "task_b": task, "depth": depth, "repeat": number, "seed": number}


def _attributes(trial: Trial) -> Iterator[tuple[str, Any]]:
    """Yield what people read. Of these, we read ``error`` and ``taken_over_from`` ourselves."""
    yield NUMBER, trial.number
    yield "kind", _kind(trial.training)
    yield "tasks", ", ".join(trial.training.tasks)
    if trial.training.epochs is not None:
        yield "epochs", trial.training.epochs
    if trial.training.recipe is not None:
        yield "recipe", trial.training.recipe
    if trial.measurement is not None:
        yield from _figures(trial.measurement)
    if trial.error is not None:
        yield "error", trial.error
    if trial.taken_over_from is not None:
        yield "taken_over_from", trial.taken_over_from


def _kind(training: Training) -> str:
    if training.is_trunk:
        return "trunk"
    if len(training.tasks) == 1:
        return "baseline"
    if any(not child.is_leaf for child in training.tree.root.children):
        return "tree"
    return "pair" if len(training.tasks) == 2 else "group"


def _figures(measured: Measurement) -> Iterator[tuple[str, Any]]:
    for task, metric in measured.metrics.items():
        yield f"metric of {task}", metric
    yield "steps", measured.steps
    yield "best_step", measured.best_step
    yield "stopped_early", measured.is_censored
    yield "seconds", measured.own_seconds
    yield "worker", measured.worker
    if measured.remark:
        yield "remark", measured.remark


def _kept(measured: Measurement) -> dict[str, Any]:
    """Return the measurement, its outcomes apart: most of it, and seldom read."""
    plain = measured.to_json()
    return {OUTCOMES: plain.pop("outcomes"), MEASUREMENT: plain}


def _curve(measured: Measurement, errors: Collection[str]) -> dict[int, float]:
    """Return the mean metric of the tasks by step."""
    points = {int(point["step"]): _mean({**point, "step": math.nan}, errors) for point in measured.curve}
    return {step: value for step, value in points.items() if value is not None}


def _mean(metrics: Mapping[str, float], errors: Collection[str]) -> float | None:
    """Return the mean of the finite ones, those of ``errors`` with their sign turned; None if there is none."""
    finite = [-value if task in errors else value for task, value in metrics.items() if math.isfinite(value)]
    return fmean(finite) if finite else None
