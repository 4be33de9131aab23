"""Trials as rows of Optuna's tables, read in parts: `Ledger` reads whole trials, `TrialTable` those of a page."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.store.optuna_tables import (
    optuna_name,
    optuna_studies,
    optuna_trials,
    trial_attributes,
    trial_params,
)
from taskgraft.search.study.trial import Training, Trial, TrialState

_CHUNK = 500
"""Trials that are read at once: databases limit how many values a query may have."""


@dataclass(frozen=True, slots=True)
class TrialKey:
    """Where a trial is, and what was trained."""

    row: int
    """Of Optuna's table; rows of one study are in the order of recording."""
    number: int
    key: str


def find_optuna_study(connection: Connection, study_id: str) -> int | None:
    """Return the number of Optuna's study; None if nothing was recorded yet, or if the study was deleted."""
    query = select(optuna_studies.c.study_id).where(optuna_studies.c.study_name == optuna_name(study_id))
    number: int | None = connection.execute(query).scalar()
    return number


def read_keys(connection: Connection, optuna_study: int, after: int) -> Iterator[TrialKey]:
    """Yield the keys of all trials whose row comes after that one, in the order of recording."""
    trials, attributes = optuna_trials.c, trial_attributes.c
    query = (
        select(trials.trial_id, trials.number, attributes.value_json)
        .join_from(optuna_trials, trial_attributes, attributes.trial_id == trials.trial_id)
        .where(trials.study_id == optuna_study, trials.trial_id > after, attributes.key == "key")
        .order_by(trials.trial_id)
    )
    for row, number, key in connection.execute(query):
        yield TrialKey(row, number, json.loads(key))


def read_after(connection: Connection, optuna_study: int, after: int) -> Iterator[tuple[int, Trial]]:
    """Yield all whole trials whose row comes after that one, each with its row, in the order of recording."""
    trials = optuna_trials.c
    query = (
        select(trials.trial_id)
        .where(trials.study_id == optuna_study, trials.trial_id > after)
        .order_by(trials.trial_id)
    )
    rows = connection.execute(query).scalars().all()
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        try:
            yield from zip(chunk, read_trials(connection, chunk), strict=True)
        except LookupError:  # the study was deleted at this moment
            return


def read_trials(connection: Connection, rows: Sequence[int], *, with_outcomes: bool = True) -> list[Trial]:
    """Return the trials of these rows, in this order. Outcomes are most of what there is to read of a trial.

    Raises:
        LookupError: a row is not there any more.
    """
    trials, attributes, params = optuna_trials.c, trial_attributes.c, trial_params.c
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for row, name, text in connection.execute(
        select(attributes.trial_id, attributes.key, attributes.value_json).where(attributes.trial_id.in_(rows))
    ):
        found[row][name] = text
    seeds = select(params.trial_id, params.param_value).where(params.trial_id.in_(rows), params.param_name == "seed")
    for row, seed in connection.execute(seeds):
        found[row]["seed"] = int(seed)
    states = select(trials.trial_id, trials.number, trials.state).where(trials.trial_id.in_(rows))
    for row, number, state in connection.execute(states):
        found[row] |= {"number": number, "state": state}
    return [_to_trial(found[row], with_outcomes) for row in rows]


def _to_trial(found: dict[str, Any], with_outcomes: bool) -> Trial:
    """Return the trial that `taskgraft.search.store.entries.to_entry` made this of."""
    return Trial(
        number=found["number"],
        training=Training.from_key(json.loads(found["key"])),
        seed=found["seed"],
        state=TrialState.COMPLETE if found["state"] == "COMPLETE" else TrialState.FAILED,
        measurement=_to_measurement(found["measurement"], with_outcomes) if "measurement" in found else None,
        error=json.loads(found.get("error", "null")),
        taken_over_from=json.loads(found.get("taken_over_from", "null")),
    )


def _to_measurement(text: str, with_outcomes: bool) -> Measurement:
    plain = json.loads(text)
    return Measurement.from_json(plain if with_outcomes else {**plain, "outcomes": {}})
