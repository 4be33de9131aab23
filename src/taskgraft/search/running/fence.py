"""The fence before a study's files: only the runner that holds the study passes."""

from typing import Protocol

from taskgraft.search.running.patience import Patience
from taskgraft.search.store import Store
from taskgraft.search.study.lease import Lease


class Fence(Protocol):
    """Asked immediately before a study's files are changed."""

    def check(self) -> None:
        """Return if the files may be changed now.

        Raises:
            LeaseLost: another runner has taken the study.
            NotFound: the study was deleted.
            Unavailable: the database fails.
        """


class OpenFence:
    """Lets everybody pass: readers, and those who change files of a study that no runner can hold."""

    def check(self) -> None:
        """See `Fence`."""


OPEN = OpenFence()


class LeaseFence:
    """Lets the holder of a lease pass, as long as the lease is the study's present one."""

    def __init__(self, store: Store, lease: Lease, patience: Patience) -> None:
        self._store = store
        self._lease = lease
        self._patience = patience

    def check(self) -> None:
        """See `Fence`."""
        self._patience.insist(lambda: self._store.check(self._lease))
