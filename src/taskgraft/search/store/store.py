"""The store: studies, their leases and their ledgers, and datasets, in one database."""

import threading
from types import TracebackType
from typing import Self

from sqlalchemy import text

from taskgraft.search.store.census import Census, take_census
from taskgraft.search.store.database import Database
from taskgraft.search.store.datasets import DatasetTable
from taskgraft.search.store.findings import FindingTable
from taskgraft.search.store.ledger import Ledger
from taskgraft.search.store.runners import RunnerTable
from taskgraft.search.store.summaries import SummaryTable
from taskgraft.search.store.tokens import TokenTable
from taskgraft.search.store.trainings import TrainingIndex
from taskgraft.search.store.trials import TrialTable

_LEDGERS_KEPT = 8


class Store(RunnerTable):
    """The one place that talks to a database. May be used from any thread; every process opens its own.

    ``url`` is ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``. Opening brings the tables up to
    date; several processes may open an empty database at once. The ``ledgers_kept`` that were asked for last stay
    in memory.

    Raises:
        InvalidInput: a URL that the store does not take.
        Unavailable: the database is unreachable, or is not a Taskgraft database.
    """

    def __init__(self, url: str, ledgers_kept: int = _LEDGERS_KEPT) -> None:
        super().__init__(Database(url))
        self.trainings = TrainingIndex(self._database)
        self.datasets = DatasetTable(self._database)
        self.findings = FindingTable(self._database)
        self.summaries = SummaryTable(self._database)
        self.trials = TrialTable(self._database)
        self.tokens = TokenTable(self._database)
        self._ledgers: dict[str, Ledger] = {}
        self._ledgers_kept = ledgers_kept
        self._ledgers_change = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection to the database."""
        self._database.close()

    def ping(self) -> None:
        """Check that the database answers.

        Raises:
            Unavailable: it does not.
        """
        with self._database.begin() as connection:
            connection.execute(text("SELECT 1"))

    def census(self) -> Census:
        """Return how many there are of what.

        Raises:
            Unavailable: the database fails.
        """
        return take_census(self._database)

    def ledger(self, study_id: str) -> Ledger:
        """Return the trials of a study. The ledgers asked for last stay in memory, so that asking again is cheap.

        Raises:
            NotFound: there is no such study.
        """
        spec = self.get_study(study_id).spec
        with self._ledgers_change:
            ledger = self._ledgers.pop(study_id, None) or Ledger(self._database, study_id, spec)
            self._ledgers[study_id] = ledger
            while len(self._ledgers) > self._ledgers_kept:
                del self._ledgers[next(iter(self._ledgers))]
        return ledger
