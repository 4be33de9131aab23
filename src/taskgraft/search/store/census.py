"""What a database holds, in numbers that are cheap to find: for those who watch a service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, DateTime, Float, String, cast, column, extract, func, select, table

from taskgraft.search.store.clock import read_clock
from taskgraft.search.store.database import Database
from taskgraft.search.store.tables import datasets, runners, studies
from taskgraft.search.study.dataset import DatasetState
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import TrialState

T = TypeVar("T")

_TRIALS = table("trials", column("state"), column("datetime_start", DateTime), column("datetime_complete", DateTime))
"""A table of Optuna's."""
_STATES = {"COMPLETE": TrialState.COMPLETE, "FAIL": TrialState.FAILED}
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Census:
    """How many there are of what, and how long was trained.

    ``training_seconds`` is what the trials of all studies took; one that was taken over counts in both studies.
    ``busy_seconds`` is how long runners have held studies, ``takeovers`` how often one took a study from another that
    was gone, both of the studies that are still there. ``runner_silence`` is how many seconds ago each runner showed
    itself.
    """

    studies: Mapping[State, int]
    trials: Mapping[TrialState, int]
    datasets: Mapping[DatasetState, int]
    training_seconds: float
    busy_seconds: float
    takeovers: int
    runner_silence: tuple[float, ...]


def take_census(database: Database) -> Census:
    """Count, without reading what a trial measured.

    Raises:
        Unavailable: the database fails.
    """
    with database.begin() as connection:
        busy_seconds, takeovers = connection.execute(
            select(
                func.coalesce(func.sum(studies.c.busy_seconds), 0.0), func.coalesce(func.sum(studies.c.takeovers), 0)
            )
        ).one()
        by_state, training_seconds = _trials(connection, database.dialect)
        return Census(
            studies=_count(connection, studies.c.state),
            trials=by_state,
            datasets=_count(connection, datasets.c.state),
            training_seconds=training_seconds,
            busy_seconds=busy_seconds,
            takeovers=takeovers,
            runner_silence=_silence(connection),
        )


def _count(connection: Connection, state: ColumnElement[T]) -> dict[T, int]:
    """Return how many rows there are of each state."""
    return {found: number for found, number in connection.execute(select(state, func.count()).group_by(state))}  # noqa: C416


def _trials(connection: Connection, dialect: str) -> tuple[dict[TrialState, int], float]:
    """Return how many trials of all studies there are by their state, and how many seconds they took."""
    state = cast(_TRIALS.c.state, String)
    query = select(state, func.count(), func.coalesce(func.sum(_seconds(dialect)), 0.0)).group_by(state)
    rows = [row for row in connection.execute(query) if row[0] in _STATES]
    return {_STATES[word]: number for word, number, _ in rows}, float(sum(seconds for _, _, seconds in rows))


def _seconds(dialect: str) -> ColumnElement[float]:
    start, end = _TRIALS.c.datetime_start, _TRIALS.c.datetime_complete
    if dialect == "sqlite":
        return (func.julianday(end) - func.julianday(start)) * _DAY_SECONDS
    return extract("epoch", end - start).cast(Float)


def _silence(connection: Connection) -> tuple[float, ...]:
    now = datetime.fromtimestamp(read_clock(connection), UTC)
    return tuple((now - seen).total_seconds() for seen in connection.execute(select(runners.c.seen_at)).scalars())
