"""The ledger: every training of a study that ended, each an Optuna trial in the same database."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import select

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.store.database import Database
from taskgraft.search.store.entries import to_entry
from taskgraft.search.store.optuna_tables import optuna_name
from taskgraft.search.store.rows import has_id, no_study
from taskgraft.search.store.tables import studies
from taskgraft.search.store.trial_rows import read_after
from taskgraft.search.study.trial import Training, Trial, TrialState


class Ledger:
    """The trials of one study. May be used from any thread.

    A trial is written when its training has ended, in the one transaction of Optuna's ``create_new_trial`` with a
    template: a process that is killed leaves whole trials only, and no trial that seems to run. The holder of the
    study's lease is the one writer. If two processes take themselves for it and record the same training, the first one
    counts. All methods raise `Unavailable` if the database fails.
    """

    def __init__(self, database: Database, study_id: str, tasks: Sequence[str]) -> None:
        self._database = database
        self._study_id = study_id
        self._tasks = tuple(tasks)
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._known: dict[str, Trial] = {}
        self._last_row = -1

    def record(
        self,
        training: Training,
        seed: int,
        state: TrialState,
        measurement: Measurement | None = None,
        error: str | None = None,
        *,
        value: float | None = None,
        taken_over_from: str | None = None,
    ) -> Trial:
        """Keep how a training ended; one that is there already stays as it is and is returned.

        ``value`` is what dashboards draw: the accuracy reduction, 0 if there is none.
        ``taken_over_from`` is the study that the measurement comes from, if it is not this one.

        Raises:
            InvalidInput: a seed outside 0..2^53-1, tasks that the study does not have, a value that is not finite, or
                a trial that is complete without a measurement or failed without an error.
            NotFound: the study was deleted.
        """
        trial = Trial(0, training, seed, state, measurement, error, taken_over_from)
        entry = to_entry(trial, self._tasks, value)
        with self._writing:
            try:
                if training.key not in self._read():
                    self._append(entry)
                return self._read()[training.key]
            except KeyError:
                raise no_study(self._study_id) from None

    def trials(self) -> tuple[Trial, ...]:
        """Return all trials, in the order in which they were recorded."""
        return tuple(self._read().values())

    def trial_count(self) -> int:
        """Return how many trials there are."""
        return len(self._read())

    def _append(self, entry: FrozenTrial) -> None:
        optuna = self._database.optuna
        if _find(self._database, self._study_id) is None:
            self._begin()
        with self._database.errors():
            optuna.create_new_trial(optuna.get_study_id_from_name(optuna_name(self._study_id)), entry)

    def _begin(self) -> None:
        """Create Optuna's study, unless the study was deleted."""
        with self._database.begin() as connection:
            if connection.execute(select(studies.c.id).where(has_id(self._study_id))).scalar() is None:
                raise no_study(self._study_id)
        with self._database.errors(), suppress(DuplicatedStudyError):
            self._database.optuna.create_new_study([StudyDirection.MINIMIZE], optuna_name(self._study_id))

    def _read(self) -> Mapping[str, Trial]:
        """Return all trials by key. Known ones are not read again, since a recorded trial never changes."""
        with self._reading, self._database.errors():
            # Looked up each time: SQLite gives a deleted study's number to the next one.
            number = _find(self._database, self._study_id)
            if number is None:
                return {}
            with self._database.begin() as connection:
                for row, trial in read_after(connection, number, self._last_row):
                    self._known.setdefault(trial.training.key, trial)
                    self._last_row = row
            return dict(self._known)


def delete_ledger(database: Database, study_id: str) -> bool:
    """Delete all trials of a study; return whether there was a ledger."""
    number = _find(database, study_id)
    if number is None:
        return False
    with database.errors():
        database.optuna.delete_study(number)
    return True


def _find(database: Database, study_id: str) -> int | None:
    """Return the number of Optuna's study; None if nothing was recorded yet."""
    with database.errors():
        try:
            return database.optuna.get_study_id_from_name(optuna_name(study_id))
        except KeyError:
            return None
