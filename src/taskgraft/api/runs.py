"""One study on local data, in this process: its folder, the signals that pause it, what it found."""

# ruff: noqa: PLC0415  # a study that is finished is shown without the imports of what trains
import fcntl
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from taskgraft.api.pictures import draw_tree
from taskgraft.api.reports.of_run import leave_report, report_page
from taskgraft.api.schemas import MatrixView, StudyView
from taskgraft.errors import Conflict, TaskgraftError, Unavailable
from taskgraft.evaluators.datasets.registry import known_datasets, resolve_dataset
from taskgraft.evaluators.memory import without_collector
from taskgraft.search.evidence.reduction_matrix import reduction_matrix
from taskgraft.search.evidence.verdict import summarize
from taskgraft.search.running.artifacts import artifacts_dir, study_dir
from taskgraft.search.running.lease import LEASE_SECONDS
from taskgraft.search.running.stored import kept_matrix
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.fields import AUTO
from taskgraft.search.study.machines import Machines
from taskgraft.search.study.preparation import PreparedStudy, prepare
from taskgraft.search.study.result import Result
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.space.document import read_tree_document
from taskgraft.space.matrix import ReductionMatrix
from taskgraft.space.tree import BranchTree

_KEY = "run"
"""A folder holds one study, the one of this key, and its trees at other thresholds, whose keys name them."""
_OWNER = "run"
"""Owner of the lease. The folder's lock lets one run in at a time, so a run may take over the lease of a dead one."""
PICTURE = "tree.svg"

StudyForm = Mapping[str, Any]
"""A study as the service shows it: state, stage, progress, running trainings, reason, result."""
Count = Callable[[int, int], None]
"""Called with how many are done, of how many."""


class Observer(Protocol):
    """What a run reports to. `follow` is called from a thread of its own."""

    def counting(self, what: str, unit: str) -> AbstractContextManager[Count]:
        """Show work that is counted, such as making a corpus."""

    def follow(self, forms: Iterable[StudyForm]) -> object:
        """Show the study, whose forms come about once a second until the work ends."""

    def pausing(self) -> None:
        """Say that the run is being paused."""


class Callback:
    """An observer that passes each form of the study to a function."""

    def __init__(self, show: Callable[[StudyForm], object]) -> None:
        self._show = show

    def counting(self, what: str, unit: str) -> AbstractContextManager[Count]:
        """See `Observer`."""
        return nullcontext(lambda done, total: None)

    def follow(self, forms: Iterable[StudyForm]) -> None:
        """See `Observer`."""
        for form in forms:
            self._show(form)

    def pausing(self) -> None:
        """See `Observer`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a local run of a study ended, and where its files are."""

    study: Study
    matrix: ReductionMatrix
    """AR of the pairs that were trained, on the validation split."""
    folder: Path
    """The folder of the run."""

    @property
    def state(self) -> State:
        """``succeeded``, ``failed`` or ``paused``."""
        return self.study.state

    @property
    def reason(self) -> str | None:
        """Why the study failed or was paused; of one that succeeded, what its user has to know."""
        return self.study.reason

    @property
    def result(self) -> Result | None:
        """What was measured on the test split; None unless the study succeeded."""
        return self.study.result

    @property
    def tree(self) -> BranchTree | None:
        """The tree that was verified; None unless the study succeeded."""
        return None if self.study.tree is None else read_tree_document(self.study.tree).tree

    @property
    def bundle(self) -> Path | None:
        """The folder of the exported model, for `taskgraft.load_bundle`; None unless the study succeeded."""
        return artifacts_dir(self.folder, self.study.id) if self.state is State.SUCCEEDED else None

    @property
    def picture(self) -> Path | None:
        """The tree as SVG, beside the bundle; None unless the study succeeded."""
        return study_dir(self.folder, self.study.id) / PICTURE if self.state is State.SUCCEEDED else None

    @property
    def report(self) -> Path | None:
        """The report of the study as an HTML file, beside the bundle; None unless the study succeeded."""
        return report_page(self.folder, self.study.id) if self.state is State.SUCCEEDED else None

    def to_json(self) -> dict[str, Any]:
        """Return study, matrix, tree and files as plain data."""
        return {
            "study": StudyView.of(self.study).model_dump(mode="json"),
            "matrix": MatrixView.of(self.matrix, self.study.spec.depths).model_dump(mode="json"),
            "tree": None if self.study.tree is None else dict(self.study.tree),
            "artifacts": str(artifacts_dir(self.folder, self.study.id)),
            "picture": None if self.picture is None else str(self.picture),
            "report": None if self.report is None else str(self.report),
        }


def default_folder(spec: StudySpec) -> Path:
    """Return the folder of a study's run if none is named."""
    return Path("taskgraft-runs") / spec.name


def run_study(
    spec: StudySpec,
    folder: Path,
    base: Path,
    machines: Machines,
    observer: Observer,
    pause_on: Iterable[signal.Signals] = (),
    ar_threshold: float | None = None,
) -> Outcome:
    """Start the study, or continue it, and return how it ended; a study that succeeded before is returned at once.

    Manifests are relative to ``base``. The signals ``pause_on`` pause the study, if this is the main thread. With
    ``ar_threshold`` it is the study's tree at that threshold: another study in the same folder, which takes over what
    is finished there and trains what is missing.

    Raises:
        InvalidInput: with every fault of the study and its datasets; nothing was made then.
        Conflict: the folder holds another study, or another run is at work in it.
        Unavailable: the folder can't be written, or its database fails.
    """
    folder = folder.absolute()
    own, spec = spec, spec if ar_threshold is None else _at_threshold(spec, ar_threshold, folder)
    if study := find_finished(spec, folder):
        with Store(sqlite_url(database_of(folder))) as store:
            return _outcome(store, study, folder)
    prepare_study(spec, folder, base, observer)
    with alone_in(folder), Store(sqlite_url(database_of(folder))) as store:
        study = _study_of(store, own, spec, folder)
        if study.state is not State.SUCCEEDED:
            study = work_on(store, study, folder, base, machines, observer, pause_on)
        return _outcome(store, study, folder)


def prepare_study(spec: StudySpec, data_dir: Path, base: Path, observer: Observer) -> PreparedStudy:
    """Do what `prepare` does, and report to the observer while a corpus that Taskgraft makes itself is made."""
    for name in sorted({task.dataset for task in spec.tasks}.intersection(known_datasets())):
        make_corpus(name, data_dir, observer)
    return prepare(spec, data_dir=data_dir, base=base)


def make_corpus(name: str, data_dir: Path, observer: Observer) -> Path:
    """Return the manifest of a corpus known by name, which is made first if necessary.

    Raises:
        Unavailable: it can't be made.
    """
    with observer.counting(f"making the corpus {name}", "clips") as progress:
        return resolve_dataset(name, data_dir, data_dir, allow_paths=False, progress=progress)


def database_of(folder: Path) -> Path:
    """Return the database of a folder's study; it exists once the study was started."""
    return folder / "taskgraft.db"


def find_finished(spec: StudySpec, folder: Path) -> Study | None:
    """Return the study if it succeeded in this folder before."""
    if not database_of(folder).is_file():
        return None
    with Store(sqlite_url(database_of(folder))) as store:
        for study in store.list_studies(State.SUCCEEDED).items:
            if study.spec == spec and not study.comparison:
                return study
    return None


def _outcome(store: Store, study: Study, folder: Path) -> Outcome:
    matrix = kept_matrix(store, study) or reduction_matrix(study.spec, store.ledger(study.id).trials())
    outcome = Outcome(study, matrix, folder)
    if outcome.picture and outcome.result and study.tree:
        result = outcome.result
        picture = draw_tree(study.tree, summarize(result.verdict, result.ar, result.verified_for))
        try:
            outcome.picture.write_text(picture, "utf-8")
        except OSError as error:
            raise Unavailable(f"{outcome.picture} can't be written: {error.strerror}") from error
        leave_report(store, study, folder)
    return outcome


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of the folder; the system releases the lock however this process ends."""
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


def _at_threshold(own: StudySpec, ar_threshold: float, folder: Path) -> StudySpec:
    """Return the folder's study at another threshold, of the training length that it chose, if it did."""
    spec = own.at_threshold(ar_threshold)
    if own.training.epochs != AUTO or not database_of(folder).is_file():
        return spec
    with Store(sqlite_url(database_of(folder))) as store:
        parent, study = store.study_of_key(_KEY), store.study_of_key(_key_at(own, spec))
    alike = parent.at_threshold(ar_threshold) if parent and parent.spec == own else spec
    # One that was started before its parent chose a length goes on as it is.
    return study.spec if study and study.spec in (spec, alike) else alike


def _key_at(own: StudySpec, spec: StudySpec) -> str:
    return _KEY if spec == own else f"{_KEY} at {spec.ar_threshold!r}"


def _study_of(store: Store, own: StudySpec, spec: StudySpec, folder: Path) -> Study:
    """Return the folder's study, or with another ``spec`` than its ``own`` the one at that threshold.

    It is a new one if there is none, or if it failed or was cancelled; that one stays, since its finished trainings are
    taken over.
    """
    key = _key_at(own, spec)
    parent, study = store.study_of_key(_KEY), store.study_of_key(key)
    if (parent and parent.spec != own) or (study and study.spec != spec):
        raise Conflict(f"{folder} holds another study: name another folder with --out, or delete this one")
    if study and study.state in (State.FAILED, State.CANCELLED):
        store.release_key(study.id)
        study = None
    if study is None:
        of = parent.id if parent and key != _KEY else None
        study, _ = store.create_study(spec, idempotency_key=key, parent=of)
    return study


def work_on(
    store: Store,
    study: Study,
    folder: Path,
    base: Path,
    machines: Machines,
    observer: Observer,
    pause_on: Iterable[signal.Signals],
) -> Study:
    """Work on a study of the folder until it ends, or is paused by a signal; it is paused then, not queued."""
    with without_collector():
        from taskgraft.search.running.pipeline import StudyRun

    held = store.acquire_study(study.id, _OWNER, LEASE_SECONDS)
    work = StudyRun(store, held, folder, base=base, machines=machines)

    def pause() -> None:
        observer.pausing()
        work.lease.stop()

    # Standard output is for the result alone, whatever libraries print meanwhile (Ray Tune does).
    with _handling(pause_on, pause), _shown(store, study.id, observer), redirect_stdout(sys.stderr):
        ended = work.run()
    # A run that stops gives its study back to the queue; here nobody else would take it from there.
    return store.pause_study(ended.id) if ended.state is State.QUEUED else ended


@contextmanager
def _handling(signals: Iterable[signal.Signals], pause: Callable[[], None]) -> Iterator[None]:
    """Pause on the first of these signals; the next one does what it always does.

    Only the main thread of a process can handle signals; in others nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(number: int, frame: FrameType | None) -> None:
        restore()
        pause()

    before = {number: signal.signal(number, on_signal) for number in signals}
    try:
        yield
    finally:
        restore()


@contextmanager
def _shown(store: Store, study_id: str, observer: Observer) -> Iterator[None]:
    """Report how far the study is until the block ends."""
    ended = threading.Event()
    forms = _forms(store, study_id, ended)
    watcher = threading.Thread(target=lambda: observer.follow(forms), name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _forms(store: Store, study_id: str, ended: threading.Event) -> Iterator[StudyForm]:
    """Yield the study's JSON form once a second."""
    while not ended.wait(1.0):
        try:
            study = store.get_study(study_id)
        except TaskgraftError:  # a busy database is asked again; the work itself reports one that fails
            continue
        yield StudyView.of(study).model_dump(mode="json")
