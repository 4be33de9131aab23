"""The ledger: every training of a study that ended, each an Optuna trial in the same database."""

import hashlib
import threading
from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.store.database import Database
from taskgraft.search.store.entries import NUMBER, is_reference, to_entry
from taskgraft.search.store.entry_rows import write_entry
from taskgraft.search.store.holding import hold
from taskgraft.search.store.optuna_tables import is_left_of, optuna_studies
from taskgraft.search.store.rows import no_study
from taskgraft.search.store.tables import trials as notes
from taskgraft.search.store.trial_rows import find_optuna_studies, read_after
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState


class Ledger:
    """The trials of one study. May be used from any thread.

    A trial is written when its training has ended, in one transaction with the check of the lease and the note that its
    training is recorded: a process that is killed leaves whole trials only, and no trial that seems to run. One whose
    lease was lost leaves nothing, and no training is recorded twice. All methods raise `Unavailable` if the database
    fails.
    """

    def __init__(self, database: Database, study_id: str, spec: StudySpec) -> None:
        self._database = database
        self._study_id = study_id
        self._spec = spec
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._known: dict[str, Trial] = {}
        self._last_row = -1
        self._next_number = 0

    def record(
        self,
        lease: Lease,
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

        ``value`` is what dashboards draw: the accuracy reduction. Of a training that has none, they draw its metric.
        ``taken_over_from`` is the study that the measurement comes from, if it is not this one.

        Raises:
            ValueError: the lease is one of another study.
            InvalidInput: a seed outside 0..2^53-1, tasks that the study does not have, a value that is not finite, or
                a trial that is complete without a measurement or failed without an error.
            NotFound: the study was deleted.
            LeaseLost: the lease is not the present one.
        """
        if lease.study_id != self._study_id:
            raise ValueError(f"the lease is one of study {lease.study_id}, not {self._study_id}")
        trial = Trial(0, training, seed, state, measurement, error, taken_over_from)
        entry = to_entry(trial, self._spec.task_names, value, self._spec.errors)
        with self._writing:
            self._write(lease, training, entry)
            try:
                return self._read()[training.key]
            except KeyError:
                raise no_study(self._study_id) from None

    def trials(self) -> tuple[Trial, ...]:
        """Return all trials, in the order in which they were recorded."""
        return tuple(self._read().values())

    def trial_count(self) -> int:
        """Return how many trials there are."""
        return len(self._read())

    def _write(self, lease: Lease, training: Training, entry: FrozenTrial) -> None:
        with self._database.begin() as connection:
            hold(connection, lease)
            is_first = connection.execute(self._note_of(training.key)).one_or_none() is not None
            if (
                is_first and training.key not in self._read()
            ):  # it may be there without a note from before there were notes
                entry.user_attrs[NUMBER] = self._next_number  # nobody else writes meanwhile
                write_entry(connection, self._study_id, self._spec, entry, apart=is_reference(training))

    def _note_of(self, key: str) -> ReturningInsert[Any]:
        """Return what notes that a training is recorded; it returns no row if that was noted before."""
        insert = (postgresql if self._database.dialect == "postgresql" else sqlite).insert(notes)
        values = {"study_id": self._study_id, "digest": hashlib.sha256(key.encode()).hexdigest()}
        statement: ReturningInsert[Any] = insert.values(values).on_conflict_do_nothing().returning(notes.c.digest)
        return statement

    def _read(self) -> Mapping[str, Trial]:
        """Return all trials by key. Known ones are not read again, since a recorded trial never changes."""
        with self._reading, self._database.begin() as connection:
            # Looked up each time: SQLite gives a deleted study's number to the next one.
            if not find_optuna_studies(connection, self._study_id):
                return {}
            for row, trial in read_after(connection, self._study_id, self._last_row, self._next_number):
                self._known.setdefault(trial.training.key, trial)
                self._last_row, self._next_number = row, trial.number + 1
            return dict(self._known)


def delete_ledger(database: Database, study_id: str) -> bool:
    """Delete all trials of a study, which may be gone itself; return whether there was a ledger."""
    with database.begin() as connection:
        numbers = connection.execute(select(optuna_studies.c.study_id).where(is_left_of(study_id))).scalars().all()
    for number in numbers:
        with database.errors():
            database.optuna.delete_study(number)
    return bool(numbers)
