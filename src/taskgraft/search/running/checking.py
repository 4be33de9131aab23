"""Checking datasets: a thread of the runner takes those that wait, under a lease, while studies go on beside it.

A thread, since a study may take hours, and nobody should wait so long for the report of a typo in a manifest.
Reading and decoding release the interpreter most of the time, and trainings run in processes of their own, so the
study loses little.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from taskgraft.errors import Conflict, Fault, InvalidInput, NotFound, Unavailable
from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.logs import logging_as
from taskgraft.search.running.lease import LEASE_SECONDS
from taskgraft.search.store import Store
from taskgraft.search.study.dataset import Dataset, DatasetState

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.5
_RENEWAL_SECONDS = 1.0


class _Stopped(Exception):
    """Raised to leave a check: the runner ends, or another one took the check over."""


class Checker:
    """Checks one dataset after the other until `stop`."""

    def __init__(self, store: Store, data_dir: Path, owner: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._data_dir = data_dir
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checker", daemon=True)

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; the current check then waits for another runner."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                worked = self.check_next()
            except (Unavailable, Conflict, NotFound) as error:  # the database may come back; a lost check won't
                _log.warning("%s", error)
                worked = False
            except Exception:  # without this thread, every study would wait for its datasets for ever
                _log.exception("the check of datasets goes on after an unexpected error")
                worked = False
            if not worked:
                self._stopping.wait(_IDLE_SECONDS)

    def check_next(self) -> bool:
        """Check the dataset that has waited longest; return whether there was one.

        Raises:
            Conflict: the check was lost to another runner, or the dataset was deleted.
            Unavailable: the database fails.
        """
        dataset = self._store.datasets.acquire(self._owner, self._lease_seconds)
        if dataset is None:
            return False
        with logging_as(dataset=dataset.name, owner=self._owner):  # a thread of its own
            self._check(dataset)
        return True

    def _check(self, dataset: Dataset) -> None:
        _log.info("dataset %s, version %d: check starts", dataset.name, dataset.version)
        check = _Check(self._store, self._owner, self._lease_seconds, dataset, self._stopping)
        try:
            with check.holding():
                report, digest = self._examine(dataset, check)
            self._keep(dataset, report, digest)
        except _Stopped:
            with suppress(Conflict):
                self._store.datasets.release(dataset, self._owner)
            self._forget_if_deleted(dataset)

    def _examine(self, dataset: Dataset, check: "_Check") -> tuple[CheckReport, str | None]:
        try:
            dataset.source.unpack(self._data_dir, check.look)
            manifest = dataset.source.manifest(self._data_dir)
            report = check_manifest(manifest, check.count)
            return report, fingerprint(read_corpus(manifest), check.look) if report.ok else None
        except InvalidInput as error:
            return _broken(error), None
        except (OSError, MemoryError) as error:
            _log.warning("dataset %s can't be checked: %s", dataset.name, error)
            return _broken(InvalidInput.at("", f"can't be read or unpacked here, try again later: {error}")), None
        except (_Stopped, Unavailable):
            raise
        except Exception as error:
            _log.exception("dataset %s can't be checked", dataset.name)
            return _broken(InvalidInput.at("", f"unexpected {type(error).__name__}: {error}")), None

    def _keep(self, dataset: Dataset, report: CheckReport, digest: str | None) -> None:
        try:
            ended = self._store.datasets.finish(dataset, self._owner, report, digest)
        except Conflict:
            self._forget_if_deleted(dataset)
            raise
        if ended.state is DatasetState.BROKEN:
            dataset.source.remove(self._data_dir)
        _log.info("dataset %s, version %d: %s", ended.name, ended.version, ended.state)

    def _forget_if_deleted(self, dataset: Dataset) -> None:
        """Remove what was unpacked while somebody deleted the dataset."""
        try:
            same = self._store.datasets.get(dataset.name, dataset.version).created_at == dataset.created_at
        except NotFound:
            same = False
        if not same:
            dataset.source.remove(self._data_dir)


def _broken(error: InvalidInput) -> CheckReport:
    faults = [Fault(fault.where, fault.message) for fault in error.faults]
    return CheckReport(tuple(faults), len(faults) + error.more, (), 0, 0.0, 0.0, {}, {}, 0, {}, {})


class _Check:
    """One check under its lease: says how far it is, and notices when it has to end."""

    def __init__(
        self, store: Store, owner: str, lease_seconds: float, dataset: Dataset, stopping: threading.Event
    ) -> None:
        self._store = store
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._dataset = dataset
        self._stopping = stopping
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._progress: tuple[int, int] | None = None

    def look(self, done: int = 0, total: int = 0) -> None:
        """Raise if the check has to end.

        Raises:
            _Stopped: the runner ends, or the lease was lost.
        """
        if self._stopping.is_set() or self._lost.is_set():
            raise _Stopped

    def count(self, done: int, total: int) -> None:
        """Note how many clips are checked; see `look`."""
        self._progress = (done, total)
        self.look()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Renew the lease until the block ends."""
        renewer = threading.Thread(target=self._renew, name="check-lease", daemon=True)
        renewer.start()
        try:
            yield
        finally:
            self._ended.set()
            renewer.join()

    def _renew(self) -> None:
        while not self._ended.wait(_RENEWAL_SECONDS):
            try:
                self._store.datasets.renew(self._dataset, self._owner, self._lease_seconds, self._progress)
            except Conflict:
                self._lost.set()
                return
            except Unavailable as error:
                _log.warning("the check of %s could not be renewed: %s", self._dataset.name, error)
