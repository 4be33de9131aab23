"""One study in the foreground: its folder, the signals that pause it, the bars that show it."""

import fcntl
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any

from taskgraft.api.cli.corpora import prepare_with_bar
from taskgraft.api.cli.live import follow
from taskgraft.api.cli.output import errors
from taskgraft.api.schemas import MatrixView, StudyView
from taskgraft.errors import Conflict, InvalidInput, TaskgraftError, Unavailable
from taskgraft.search.artifacts import artifacts_dir, remove_study_files
from taskgraft.search.evidence import reduction_matrix
from taskgraft.search.lease import LEASE_SECONDS
from taskgraft.search.pipeline import StudyRun
from taskgraft.search.spec import StudySpec
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study import State, Study

_KEY = "run"
"""A folder holds one study: the one of this key."""
_OWNER = "run"
"""Who holds the lease. The folder's lock lets one run in at a time, so it may take up what a run that died held."""


def run_study(spec: StudySpec, folder: Path, base: Path, ray_address: str | None) -> dict[str, Any]:
    """Start the study, or go on with it; the study, its matrix, its tree and the folder of its model, as plain data.

    Raises:
        InvalidInput: with every fault of the study and its data sets; nothing was made then.
        Conflict: the folder holds another study, or another run is at work in it.
        Unavailable: the folder can't be written, or its database fails.
    """
    prepare_with_bar(spec, folder, base)
    with _alone_in(folder), Store(sqlite_url(folder / "taskgraft.db")) as store:
        study = _study_of(store, spec, folder)
        if study.state is not State.SUCCEEDED:
            study = _work_on(store, study, folder, base, ray_address)
        matrix = MatrixView.of(reduction_matrix(spec, store.ledger(study.id).trials()))
    return {
        "study": StudyView.of(study).model_dump(mode="json"),
        "matrix": matrix.model_dump(mode="json"),
        "tree": None if study.tree is None else dict(study.tree),
        "artifacts": str(artifacts_dir(folder, study.id)),
    }


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of the folder; the system lets go of it however this process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "run.lock").open("w")
    except OSError as error:
        raise Unavailable(f"{folder} can't be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another run is at work in {folder}") from None
        yield


def _study_of(store: Store, spec: StudySpec, folder: Path) -> Study:
    """The folder's study; a new one where there is none, or where it failed or was cancelled."""
    try:
        study, _ = store.create_study(spec, idempotency_key=_KEY)
    except InvalidInput:
        raise Conflict(f"{folder} holds another study: name another folder with --out, or delete this one") from None
    if study.state in (State.FAILED, State.CANCELLED):
        store.delete_study(study.id)
        remove_study_files(folder, study.id)
        study, _ = store.create_study(spec, idempotency_key=_KEY)
    return study


def _work_on(store: Store, study: Study, folder: Path, base: Path, ray_address: str | None) -> Study:
    study = store.acquire_study(study.id, _OWNER, LEASE_SECONDS)
    work = StudyRun(store, study, _OWNER, folder, base=base, ray_address=ray_address)
    # Standard output is for the result alone, whatever libraries print meanwhile (Ray Tune does).
    with _pausing_on_signals(work.lease.stop), _shown(store, study.id), redirect_stdout(sys.stderr):
        ended = work.run()
    # A run that stops gives its study back to the queue; here nobody else would take it from there.
    return store.pause_study(ended.id) if ended.state is State.QUEUED else ended


@contextmanager
def _pausing_on_signals(pause: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM pause; the second one ends the process, which costs the trainings under way, no more."""

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(number: int, frame: FrameType | None) -> None:
        restore()
        errors.print("pausing; what was measured is kept, and the same command goes on from there")
        pause()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        restore()


@contextmanager
def _shown(store: Store, study_id: str) -> Iterator[None]:
    """Show how far the study is until the block ends."""
    ended = threading.Event()
    watcher = threading.Thread(target=lambda: follow(_forms(store, study_id, ended)), name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _forms(store: Store, study_id: str, ended: threading.Event) -> Iterator[Mapping[str, Any]]:
    """The study's JSON form once a second."""
    while not ended.wait(1.0):
        try:
            study = store.get_study(study_id)
        except TaskgraftError:  # a database that is busy is asked again; one that fails is the work's to report
            continue
        yield StudyView.of(study).model_dump(mode="json")
