"""Writing a trial as rows of Optuna's tables. Optuna itself would ask and write each attribute by itself."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import Connection, insert, select

from taskgraft.search.store.database import optuna_within
from taskgraft.search.store.optuna_tables import (
    BASELINES,
    intermediate_values,
    is_of,
    optuna_name,
    optuna_studies,
    system_attributes,
    user_attributes,
)
from taskgraft.search.study.spec import StudySpec

_METRIC_NAMES = "study:metric_names"
"""What `optuna.Study.set_metric_names` sets."""
_CURVES = "learning curves are the mean of a training's metrics on validation, errors with their sign turned"


def write_entry(connection: Connection, study_id: str, spec: StudySpec, entry: FrozenTrial, *, apart: bool) -> None:
    """Write a trial; ``apart`` says that it goes to the baselines.

    It is a part of the transaction, and so are Optuna's studies, which are created with the first trial. A study of an
    earlier version has one for all of its trials.
    """
    joined = optuna_within(connection)
    query = select(optuna_studies.c.study_name, optuna_studies.c.study_id).where(is_of(study_id))
    found = {name: number for name, number in connection.execute(query)}  # noqa: C416
    name = optuna_name(spec.name, study_id)
    found = found or {named: _create(joined, named, study_id, spec) for named in (name, name + BASELINES)}
    bare = copy.copy(entry)
    bare.user_attrs, bare._system_attrs, bare.intermediate_values = {}, {}, {}
    row = joined.create_new_trial(found.get(name + BASELINES, found[name]) if apart else found[name], bare)
    _write_parts(connection, row, entry)


def _write_parts(connection: Connection, row: int, entry: FrozenTrial) -> None:
    for attributes, values in ((user_attributes, entry.user_attrs), (system_attributes, entry._system_attrs)):
        if values:
            connection.execute(insert(attributes), [_attribute(row, *item) for item in values.items()])
    points = [
        {"trial_id": row, "step": step, "intermediate_value": value, "intermediate_value_type": "FINITE"}
        for step, value in entry.intermediate_values.items()
    ]
    if points:
        connection.execute(insert(intermediate_values), points)


def _attribute(row: int, key: str, value: Any) -> Mapping[str, Any]:
    return {"trial_id": row, "key": key, "value_json": json.dumps(value)}


def _create(joined: RDBStorage, name: str, study_id: str, spec: StudySpec) -> int:
    """Create one of Optuna's studies, with what a dashboard says about it; return its number."""
    if name.endswith(BASELINES):
        direction, metric = StudyDirection.MAXIMIZE, "metric"
        value = "the metric of a task that is trained alone, an error with its sign turned; of a trunk, the mean"
    else:
        direction, metric = StudyDirection.MINIMIZE, "AR"
        value = "the accuracy reduction (AR) against the baselines, a fraction; an upper bound if stopped_early"
    number = joined.create_new_study([direction], name)
    joined.set_study_system_attr(number, _METRIC_NAMES, [metric])
    said = {"study": study_id, "tasks": ", ".join(spec.task_names), "ar_threshold": spec.ar_threshold}
    said |= {"value": value, "curve": _CURVES, "strategy": spec.strategy, "template": spec.template}
    for key, text in said.items():
        joined.set_study_user_attr(number, key, text)
    return number
