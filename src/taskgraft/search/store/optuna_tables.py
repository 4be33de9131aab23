"""Optuna's tables, as far as they are read and written without Optuna: it has no way to do either in parts or in bulk.

A study of ours has two of Optuna's: one holds what its tasks lose in company, the other, whose name ends with
``/baselines``, what that is compared with. So the best trial of the first one is a model that shares something.
"""

from sqlalchemy import ColumnElement, Enum, Integer, Select, column, select, table

from taskgraft.search.store.tables import studies

BASELINES = "/baselines"
KEY, MEASUREMENT, OUTCOMES = "taskgraft:key", "taskgraft:measurement", "taskgraft:outcomes"
"""System attributes: a dashboard shows none of them."""

optuna_studies = table("studies", column("study_id"), column("study_name"))
optuna_trials = table("trials", column("trial_id"), column("number"), column("study_id"), column("state"))
user_attributes = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))
system_attributes = table("trial_system_attributes", column("trial_id"), column("key"), column("value_json"))
trial_params = table("trial_params", column("trial_id"), column("param_name"), column("param_value"))
intermediate_values = table(
    "trial_intermediate_values",
    column("trial_id"),
    column("step", Integer),
    column("intermediate_value"),
    column("intermediate_value_type", Enum("FINITE", name="trialintermediatevaluetype")),
)


def optuna_name(name: str, study_id: str) -> str:
    """Return the name of the first of Optuna's studies for a study; a study's own name has no slash."""
    return f"{name}/{study_id}"


def optuna_studies_of(study_id: str) -> Select[int]:
    """Return the query for the numbers of Optuna's studies for a study; none if it has no trial or was deleted."""
    return select(optuna_studies.c.study_id).where(is_of(study_id))


def is_of(study_id: str) -> ColumnElement[bool]:
    """Return the condition that a row of Optuna's studies belongs to a study that is there."""
    name = select(studies.c.spec["name"].as_string() + f"/{study_id}").where(studies.c.id == study_id).scalar_subquery()
    return optuna_studies.c.study_name.in_([name, name + BASELINES])


def is_left_of(study_id: str) -> ColumnElement[bool]:
    """Return the condition that a row of Optuna's studies belongs to a study, which may be gone: it reads all names."""
    name = optuna_studies.c.study_name
    return name.like(f"%/{study_id}") | name.like(f"%/{study_id}{BASELINES}")
