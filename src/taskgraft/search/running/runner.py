"""The runner: takes queued studies under a lease, one at a time, and takes over those whose runner is gone.

Datasets that wait for their check are taken by a thread beside it.
"""

import argparse
import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from taskgraft.errors import NotFound, TaskgraftError, Unavailable
from taskgraft.evaluators.datasets.registry import corpora_dir
from taskgraft.evaluators.memory import without_collector
from taskgraft.evaluators.unfinished import sweep_unfinished
from taskgraft.logs import FORMATS, TEXT, logging_as, set_up_logs
from taskgraft.search.running.artifacts import feature_cache
from taskgraft.search.running.checking import Checker
from taskgraft.search.running.lease import LEASE_SECONDS
from taskgraft.search.running.tracking.tracker import URI_VARIABLE, Tracker
from taskgraft.search.store import Store
from taskgraft.search.study.machines import THIS_MACHINE, Machines
from taskgraft.search.study.states import State
from taskgraft.search.study.tracking import Tracking

if TYPE_CHECKING:
    from taskgraft.search.running.pipeline import StudyRun

_log = logging.getLogger(__name__)

_PIPELINE = "taskgraft.search.running.pipeline"
_IDLE_SECONDS = 1.0
_HEARTBEAT_SECONDS = 5.0


class Runner:
    """Works on one study after the other until `stop`."""

    def __init__(
        self, store: Store, data_dir: Path, machines: Machines = THIS_MACHINE, tracker: Tracker | None = None
    ) -> None:
        self._store = store
        self._data_dir = data_dir
        self._machines = machines
        self._stopping = threading.Event()
        self._run: StudyRun | None = None
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._checker = Checker(store, data_dir, self.owner)
        self._tracker = tracker or Tracker(None, "", data_dir)

    def stop(self) -> None:
        """Let go of the current study (another runner may take it up) and end."""
        self._stopping.set()
        self._checker.stop()
        self._tracker.stop()
        if self._run:
            self._run.lease.stop()

    def run(self) -> None:
        """Work until `stop`."""
        with logging_as(owner=self.owner):
            self._work()

    def _work(self) -> None:
        alive = threading.Thread(target=self._send_heartbeats, name="heartbeats", daemon=True)
        alive.start()
        for made in (corpora_dir(self._data_dir), feature_cache(self._data_dir)):
            sweep_unfinished(made)
        self._checker.start()
        self._tracker.start()
        # What trains takes seconds to import. Datasets are checked meanwhile, and no study is held yet.
        with without_collector():
            import_module(_PIPELINE)
        while not self._stopping.is_set():
            try:
                worked = self._work_once()
            except (Unavailable, NotFound) as error:  # the database may come back; a deleted study won't
                _log.warning("%s", error)
                worked = False
            if not worked:
                self._stopping.wait(_IDLE_SECONDS)
        alive.join()
        self._checker.join()
        self._tracker.join()

    def _work_once(self) -> bool:
        held = self._store.acquire(self.owner, LEASE_SECONDS)
        if held is None:
            return False
        # See `run`.
        from taskgraft.search.running.pipeline import StudyRun  # noqa: PLC0415
        from taskgraft.search.running.tradeoff import keep_tradeoff  # noqa: PLC0415

        with logging_as(study=held.study.id):
            _log.info("study %s (%s) starts", held.study.id, held.study.spec.name)
        self._run = StudyRun(self._store, held, self._data_dir, machines=self._machines)
        if self._stopping.is_set():
            self._run.lease.stop()
        ended = self._run.run()
        self._run = None
        with logging_as(study=ended.id):
            _log.info("study %s: %s %s", ended.id, ended.state, ended.reason or "")
        if ended.state is State.SUCCEEDED:
            self._tracker.add(ended.id, held.lease.epoch)
        keep_tradeoff(self._store, ended, self._stopping.is_set)
        return True

    def _send_heartbeats(self) -> None:
        with logging_as(owner=self.owner):  # a thread of its own
            self._send_until_stopped()

    def _send_until_stopped(self) -> None:
        while True:
            try:
                self._store.record_heartbeat(self.owner)
            except Unavailable as error:
                _log.warning("%s", error)
            if self._stopping.wait(_HEARTBEAT_SECONDS):
                return


def run_until_stopped(
    database_url: str,
    data_dir: Path,
    machines: Machines = THIS_MACHINE,
    log_format: str = TEXT,
    tracking: Tracking | None = None,
) -> None:
    """Run studies until SIGTERM or SIGINT, and log finished ones if asked to.

    Only the main thread of a process may call this.

    Raises:
        Unavailable: the database does not answer when the runner starts.
    """
    set_up_logs(log_format)
    with Store(database_url) as store:
        tracker = Tracker(tracking, database_url, data_dir.absolute())
        runner = Runner(store, data_dir.absolute(), machines, tracker)

        def stop(number: int, frame: FrameType | None) -> None:
            runner.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        runner.run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run studies until SIGTERM or SIGINT. The database's URL comes by the environment: it may hold a password."""
    parser = argparse.ArgumentParser(prog="python -m taskgraft.search.running.runner", description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--ray-address")
    parser.add_argument("--cores", type=int)
    parser.add_argument("--train-ahead", type=int, default=THIS_MACHINE.train_ahead)
    parser.add_argument("--database-url", default=os.environ.get("TASKGRAFT_DATABASE_URL"))
    parser.add_argument("--log-format", default=os.environ.get("TASKGRAFT_LOG_FORMAT") or TEXT, choices=FORMATS)
    options = parser.parse_args(arguments)
    if not options.database_url:
        parser.error("a database URL is required: --database-url or TASKGRAFT_DATABASE_URL")
    try:
        machines = Machines(options.ray_address, options.cores, options.train_ahead)
        tracking = Tracking(uri) if (uri := os.environ.get(URI_VARIABLE)) else None
        run_until_stopped(options.database_url, options.data_dir, machines, options.log_format, tracking)
    except TaskgraftError as error:
        _log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
