"""Trials as rows of Optuna's tables, read in parts: `Ledger` reads whole trials, `TrialTable` those of a page."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CompoundSelect, Connection, select, union_all

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.store.optuna_tables import (
    KEY,
    MEASUREMENT,
    OUTCOMES,
    optuna_studies_of,
    optuna_trials,
    system_attributes,
    trial_params,
    user_attributes,
)
from taskgraft.search.study.trial import Training, Trial, TrialState

_CHUNK = 500
"""Trials that are read at once: databases limit how many values a query may have."""
_OLD_KEY, _OLD_MEASUREMENT = "key", "measurement"
"""The attributes of earlier versions: the latter has all of a measurement."""
_READ = ("error", "taken_over_from", _OLD_KEY, _OLD_MEASUREMENT)


@dataclass(frozen=True, slots=True)
class TrialKey:
    """Where a trial is, and what was trained."""

    row: int
    """Of Optuna's table; rows of one study are in the order of recording."""
    number: int
    key: str


def find_optuna_studies(connection: Connection, study_id: str) -> frozenset[int]:
    """Return the numbers of Optuna's studies for a study: none if nothing was recorded yet, or if it was deleted.

    They never change: all of them are created with the first trial.
    """
    return frozenset(connection.scalars(optuna_studies_of(study_id)))


def read_keys(connection: Connection, study_id: str, after: int, first: int) -> Iterator[TrialKey]:
    """Yield the keys of all trials whose row comes after that one, in the order of recording.

    ``first`` is the number of the first one: trials are numbered in that order.
    """
    trials = optuna_trials.c
    parts = (
        select(trials.trial_id.label("row"), attributes.c.value_json)
        .join_from(optuna_trials, attributes, attributes.c.trial_id == trials.trial_id)
        .where(trials.study_id.in_(optuna_studies_of(study_id)), trials.trial_id > after, attributes.c.key == name)
        for attributes, name in ((user_attributes, _OLD_KEY), (system_attributes, KEY))
    )
    query = union_all(*parts).order_by("row")
    for number, (row, key) in enumerate(connection.execute(query), first):
        yield TrialKey(row, number, json.loads(key))


def read_after(connection: Connection, study_id: str, after: int, first: int) -> Iterator[tuple[int, Trial]]:
    """Yield all whole trials whose row comes after that one, each with its row, in the order of recording.

    ``first`` is the number of the first one.
    """
    trials = optuna_trials.c
    query = (
        select(trials.trial_id)
        .where(trials.study_id.in_(optuna_studies_of(study_id)), trials.trial_id > after)
        .order_by(trials.trial_id)
    )
    rows = [(row, number) for number, row in enumerate(connection.execute(query).scalars(), first)]
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        try:
            found = read_trials(connection, chunk)
        except LookupError:  # the study was deleted at this moment
            return
        yield from zip((row for row, _ in chunk), found, strict=True)


def read_trials(
    connection: Connection, places: Sequence[tuple[int, int]], *, with_outcomes: bool = True
) -> list[Trial]:
    """Return the trials of these rows and numbers, in this order. Outcomes are most of what there is to read of one.

    Raises:
        LookupError: a row is not there any more.
    """
    rows = [row for row, _ in places]
    trials, params = optuna_trials.c, trial_params.c
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for row, name, text in connection.execute(_attributes(rows, with_outcomes)):
        found[row][name] = text
    seeds = select(params.trial_id, params.param_value).where(params.trial_id.in_(rows), params.param_name == "seed")
    for row, seed in connection.execute(seeds):
        found[row]["seed"] = int(seed)
    states = select(trials.trial_id, trials.state).where(trials.trial_id.in_(rows))
    for row, state in connection.execute(states):
        found[row]["state"] = state
    return [_to_trial(found[row], number, with_outcomes) for row, number in places]


def _attributes(rows: Sequence[int], with_outcomes: bool) -> CompoundSelect[Any]:
    """Return the query for the attributes that are read; a dashboard's others are not."""
    kept = (KEY, MEASUREMENT, OUTCOMES) if with_outcomes else (KEY, MEASUREMENT)
    return union_all(
        *(
            select(attributes.c.trial_id, attributes.c.key, attributes.c.value_json).where(
                attributes.c.trial_id.in_(rows), attributes.c.key.in_(keys)
            )
            for attributes, keys in ((user_attributes, _READ), (system_attributes, kept))
        )
    )


def _to_trial(found: dict[str, Any], number: int, with_outcomes: bool) -> Trial:
    """Return the trial that `taskgraft.search.store.entries.to_entry` made this of."""
    return Trial(
        number=number,
        training=Training.from_key(json.loads(found[KEY if KEY in found else _OLD_KEY])),
        seed=found["seed"],
        state=TrialState.COMPLETE if found["state"] == "COMPLETE" else TrialState.FAILED,
        measurement=_to_measurement(found, with_outcomes),
        error=json.loads(found.get("error", "null")),
        taken_over_from=json.loads(found.get("taken_over_from", "null")),
    )


def _to_measurement(found: dict[str, Any], with_outcomes: bool) -> Measurement | None:
    if MEASUREMENT in found:
        outcomes = json.loads(found[OUTCOMES]) if with_outcomes else {}
        return Measurement.from_json({**json.loads(found[MEASUREMENT]), "outcomes": outcomes})
    if _OLD_MEASUREMENT not in found:
        return None
    plain = json.loads(found[_OLD_MEASUREMENT])
    return Measurement.from_json(plain if with_outcomes else {**plain, "outcomes": {}})
