"""The columns of Optuna's tables that are read without Optuna: it has no way to read a part of a study's trials."""

from sqlalchemy import column, table

optuna_studies = table("studies", column("study_id"), column("study_name"))
optuna_trials = table("trials", column("trial_id"), column("number"), column("study_id"), column("state"))
trial_attributes = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))
trial_params = table("trial_params", column("trial_id"), column("param_name"), column("param_value"))


def optuna_name(study_id: str) -> str:
    """Return the name of Optuna's study that holds the trials of a study."""
    return f"taskgraft/{study_id}"
