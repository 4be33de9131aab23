"""Trials as Optuna keeps them: parameters for a dashboard, everything else in user attributes."""

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from taskgraft.errors import Fault, InvalidInput
from taskgraft.search.study.trial import Training, Trial, TrialState

_EXACT = 2**53 - 1
"""Optuna keeps parameters as 64-bit floats: whole numbers are exact up to here."""
_STATES = MappingProxyType({TrialState.COMPLETE: OptunaState.COMPLETE, TrialState.FAILED: OptunaState.FAIL})


def to_entry(trial: Trial, tasks: Sequence[str], value: float | None) -> FrozenTrial:
    """Return a trial of a study with these tasks in Optuna's form; Optuna gives it its number.

    Raises:
        InvalidInput: a seed outside 0..2^53-1, tasks that the study does not have, a value that is not finite, or a
            trial that is complete without a measurement or failed without an error.
    """
    if faults := list(_faults(trial, tasks, value)):
        raise InvalidInput(faults)
    entry = create_trial(
        state=_STATES[trial.state],
        value=(value or 0.0) if trial.state is TrialState.COMPLETE else None,
        params=_params(trial),
        distributions=_distributions(trial.training, tasks),
        user_attrs=_attributes(trial),
    )
    if trial.measurement and entry.datetime_complete:
        entry.datetime_start = entry.datetime_complete - timedelta(seconds=trial.measurement.own_seconds)
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


def _attributes(trial: Trial) -> dict[str, Any]:
    found: dict[str, Any] = {"key": trial.training.key}
    if trial.error is not None:
        found["error"] = trial.error
    if trial.taken_over_from is not None:
        found["taken_over_from"] = trial.taken_over_from
    if trial.measurement is not None:
        found["worker"] = trial.measurement.worker
        found["seconds"] = trial.measurement.own_seconds
        found["measurement"] = trial.measurement.to_json()
    return found
