"""Holding on to a study: a thread that renews its lease, says how far it is, and hears what users want."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from taskgraft.errors import LeaseLost, NotFound, Unavailable
from taskgraft.logs import logging_as
from taskgraft.search.running.patience import Patience
from taskgraft.search.store import Store
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Progress, RunningTrial

T = TypeVar("T")

_log = logging.getLogger(__name__)

LEASE_SECONDS = 30.0
_RENEWALS = 15
"""How often a lease is renewed before it would run out."""

Snapshot = tuple[Stage | None, Progress | None, tuple[RunningTrial, ...]]


class LeaseKeeper:
    """Keeps the lease of an acquired study for the time of a ``with`` block, or until `end`.

    ``should_stop`` turns true for good when a user paused or cancelled the study, when the lease was lost, or when
    `stop` was called. ``patience`` waits for the database as long as that is not so.
    """

    def __init__(self, store: Store, lease: Lease, seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._lease = lease
        self._seconds = seconds
        self._ended = threading.Event()
        self._stop = threading.Event()
        self._turn = threading.Lock()
        self._snapshot: Callable[[], Snapshot] = lambda: (None, None, ())
        self._thread = threading.Thread(target=self._keep, name=f"lease-{lease.study_id}", daemon=True)
        self.patience = Patience(self._stop)

    def report(self, snapshot: Callable[[], Snapshot]) -> None:
        """From now on say with every renewal what ``snapshot`` returns."""
        self._snapshot = snapshot

    def stop(self) -> None:
        """Ask the work on the study to stop."""
        self._stop.set()

    def should_stop(self) -> bool:
        """Whether the work on the study is to stop."""
        return self._stop.is_set()

    def end(self, action: Callable[[], T]) -> T:
        """Do what ends the lease, between two renewals; there is none after it."""
        with self._turn:
            done = action()
            self._ended.set()
        return done

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        with logging_as(study=self._lease.study_id, owner=self._lease.owner):  # a thread of its own
            while not self._ended.wait(self._seconds / _RENEWALS):
                self.renew()

    def renew(self) -> None:
        """Renew once. A database that does not answer is asked again until the lease is lost to another runner."""
        snapshot = self._snapshot()
        with self._turn:
            if not self._ended.is_set():
                self._renew(*snapshot)

    def _renew(self, stage: Stage | None, progress: Progress | None, running: tuple[RunningTrial, ...]) -> None:
        try:
            state = self._store.renew(self._lease, self._seconds, stage=stage, progress=progress, running=running)
        except (LeaseLost, NotFound) as error:
            _log.warning("study %s is lost to this runner: %s", self._lease.study_id, error)
            self._stop.set()
        except Unavailable as error:
            _log.warning("study %s could not be renewed: %s", self._lease.study_id, error)
        else:
            if state is not State.RUNNING:
                self._stop.set()
