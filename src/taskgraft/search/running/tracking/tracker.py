"""Hands finished studies to a process that logs them to MLflow: the runner never waits for it."""

import logging
import os
import queue
import shlex
import subprocess
import sys
import threading
from pathlib import Path

from taskgraft.logs import logging_as
from taskgraft.search.study.tracking import Tracking

_log = logging.getLogger(__name__)

MODULE = "taskgraft.search.running.tracking.log_study"
URI_VARIABLE = "TASKGRAFT_MLFLOW"
_WAITS = (0.0, 10.0, 60.0)
"""Seconds before each attempt."""
_LONGEST = 600.0
"""Seconds that an attempt may take."""
_MOST_WAITING = 100
"""Studies that wait at most; an MLflow that is away for long must not fill the memory."""
_SHOWN = 500
"""Characters of an error that are logged."""


class Tracker:
    """Logs studies one after the other, in a thread that waits for a process.

    A study is tried three times. What fails then, waits while the runner is stopped, or is one too many, is not logged;
    the runner's log says so, and how to log it by hand.
    """

    def __init__(
        self,
        tracking: Tracking | None,
        database_url: str,
        data_dir: Path,
        *,
        waits: tuple[float, ...] = _WAITS,
        longest: float = _LONGEST,
    ) -> None:
        self._tracking = tracking
        self._database_url = database_url
        self._data_dir = data_dir
        self._waits = waits
        self._longest = longest
        self._waiting: queue.Queue[tuple[str, int]] = queue.Queue(_MOST_WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)

    def start(self) -> None:
        """Begin, if there is anything to log to."""
        if self._tracking:
            self._thread.start()

    def stop(self) -> None:
        """End as soon as possible."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until it has ended; call `stop` before."""
        if self._tracking:
            self._thread.join()
            self._give_up_all()  # a study may have ended after the thread had

    def add(self, study_id: str, epoch: int) -> None:
        """Have a study logged that has ended under this epoch of its lease. Returns at once."""
        if not self._tracking:
            return
        try:
            self._waiting.put_nowait((study_id, epoch))
        except queue.Full:
            self._give_up(study_id, epoch, f"{_MOST_WAITING} studies wait already")

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                study_id, epoch = self._waiting.get(timeout=0.5)
            except queue.Empty:
                continue
            with logging_as(study=study_id):
                self._log(study_id, epoch)
        self._give_up_all()

    def _give_up_all(self) -> None:
        while not self._waiting.empty():
            self._give_up(*self._waiting.get_nowait(), "the runner was stopped")

    def _log(self, study_id: str, epoch: int) -> None:
        fault = None
        for wait in self._waits:
            if self._stopping.wait(wait):
                fault = "the runner was stopped"
                break
            try:
                fault = self._try(study_id, epoch)
            except OSError as error:
                fault = f"no process can be started: {error.strerror}"
            if fault is None:
                _log.info("study %s is logged to MLflow", study_id)
                return
            _log.info("study %s could not be logged to MLflow this time: %s", study_id, fault)
        self._give_up(study_id, epoch, fault or "")

    def _try(self, study_id: str, epoch: int) -> str | None:
        """Return what was wrong; None if the study is logged."""
        assert self._tracking
        with subprocess.Popen(  # noqa: S603
            _command(study_id, epoch, self._data_dir),
            # Not among the arguments, which every user of the machine can read: both may hold a password.
            env={**os.environ, "TASKGRAFT_DATABASE_URL": self._database_url, URI_VARIABLE: self._tracking.uri},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the runner alone
        ) as process:
            return self._wait(process)

    def _wait(self, process: "subprocess.Popen[str]") -> str | None:
        waited = 0.0
        while True:
            try:
                _, errors = process.communicate(timeout=0.5)
            except subprocess.TimeoutExpired:
                waited += 0.5
                if self._stopping.is_set() or waited > self._longest:
                    process.kill()
                    process.communicate()
                    return "the runner was stopped" if self._stopping.is_set() else f"it took over {self._longest:g} s"
            else:
                said = errors.strip().splitlines() or [f"exit code {process.returncode}"]
                return said[-1][:_SHOWN] if process.returncode else None

    def _give_up(self, study_id: str, epoch: int, fault: str) -> None:
        by_hand = shlex.join(_command(study_id, epoch, self._data_dir)[1:])
        _log.warning("study %s is not logged to MLflow: %s; by hand: python %s", study_id, fault, by_hand)


def _command(study_id: str, epoch: int, data_dir: Path) -> list[str]:
    return [sys.executable, "-m", MODULE, study_id, "--epoch", str(epoch), "--data-dir", str(data_dir)]
