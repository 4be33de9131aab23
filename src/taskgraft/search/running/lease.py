"""Holding on to a study: a thread that renews its lease, says how far it is, and hears what users want."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from taskgraft.errors import Conflict, NotFound, Unavailable
from taskgraft.logs import logging_as
from taskgraft.search.store import Store
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Progress, RunningTrial

_log = logging.getLogger(__name__)

LEASE_SECONDS = 30.0
_RENEWALS = 15
"""How often a lease is renewed before it would run out."""

Snapshot = tuple[Stage | None, Progress | None, tuple[RunningTrial, ...]]


class Lease:
    """Keeps the lease of an acquired study for the time of a ``with`` block.

    ``should_stop`` turns true for good when a user paused or cancelled the study, when the lease was lost, or when
    `stop` was called.
    """

    def __init__(self, store: Store, study_id: str, owner: str, seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._study_id = study_id
        self._owner = owner
        self._seconds = seconds
        self._ended = threading.Event()
        self._stop = threading.Event()
        self._snapshot: Callable[[], Snapshot] = lambda: (None, None, ())
        self._thread = threading.Thread(target=self._keep, name=f"lease-{study_id}", daemon=True)

    def report(self, snapshot: Callable[[], Snapshot]) -> None:
        """From now on say with every renewal what ``snapshot`` returns."""
        self._snapshot = snapshot

    def stop(self) -> None:
        """Ask the work on the study to stop."""
        self._stop.set()

    def should_stop(self) -> bool:
        """Whether the work on the study is to stop."""
        return self._stop.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        with logging_as(study=self._study_id, owner=self._owner):  # a thread of its own
            while not self._ended.wait(self._seconds / _RENEWALS):
                self.renew()

    def renew(self) -> None:
        """Renew once. A database that does not answer is asked again until the lease is lost to another runner."""
        stage, progress, running = self._snapshot()
        try:
            state = self._store.renew(
                self._study_id, self._owner, self._seconds, stage=stage, progress=progress, running=running
            )
        except (Conflict, NotFound) as error:
            _log.warning("study %s is lost to this runner: %s", self._study_id, error)
            self._stop.set()
        except Unavailable as error:
            _log.warning("study %s could not be renewed: %s", self._study_id, error)
        else:
            if state is not State.RUNNING:
                self._stop.set()
