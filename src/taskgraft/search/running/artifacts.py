"""Where a study's files lie below the data folder."""

import hashlib
import logging
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from taskgraft.errors import Unavailable
from taskgraft.evaluators.training_state import MAX_STATE_BYTES, PackedState
from taskgraft.search.running.fence import OPEN, Fence
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.trial import Training

_log = logging.getLogger(__name__)
_STATE = ".state"
_PARTIAL = ".partial"
_TUNE = "tune"
_BUILDING = ".artifacts-"
_EPOCH = re.compile(rf"^(?:{re.escape(_BUILDING)}(?=\d+-)|{_TUNE}-)(\d+)")


def feature_cache(data_dir: Path) -> Path:
    """Return the folder of the features of every corpus, shared by all studies."""
    return data_dir / "features"


def study_dir(data_dir: Path, study_id: str) -> Path:
    """Return the folder of everything that one study keeps outside the database."""
    return data_dir / "studies" / study_id


def artifacts_dir(data_dir: Path, study_id: str) -> Path:
    """Return the folder of the bundle; it appears whole, when the export is done."""
    return study_dir(data_dir, study_id) / "artifacts"


def tune_dir(data_dir: Path, lease: Lease) -> Path:
    """Return the folder where Tune keeps its own records while the study runs; nobody reads them.

    There is one for each taking of the study: a runner that lost it may still write to its own.
    """
    return study_dir(data_dir, lease.study_id) / f"{_TUNE}-{lease.epoch}"


def remove_earlier_tune_dirs(data_dir: Path, lease: Lease, fence: Fence) -> None:
    """Delete the folders of Tune that earlier holders of the study left behind.

    Raises:
        LeaseLost: another runner has taken the study.
    """
    fence.check()
    for folder in _of_earlier_holders(tune_dir(data_dir, lease).parent.glob(f"{_TUNE}*"), lease):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replacing_artifacts(data_dir: Path, lease: Lease, fence: Fence) -> Iterator[Path]:
    """Provide a folder beside the artifacts, which is moved to their place when it is whole.

    Raises:
        LeaseLost: another runner has taken the study; what that one delivers stays as it is.
        Unavailable: it can't be written.
    """
    folder = artifacts_dir(data_dir, lease.study_id)
    fence.check()
    try:
        building = _new_building(folder.parent, lease)
        try:
            yield building
            building.chmod(0o755)
            fence.check()
            _move(building, folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise Unavailable(f"the artifacts can't be written to {folder}: {error}") from error


def _new_building(parent: Path, lease: Lease) -> Path:
    """Return a new folder to build in; those of runners that were killed, or lost the study, are removed."""
    parent.mkdir(parents=True, exist_ok=True)
    for left_over in _of_earlier_holders(parent.glob(f"{_BUILDING}*"), lease):
        shutil.rmtree(left_over, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_BUILDING}{lease.epoch}-", dir=parent))


def _of_earlier_holders(folders: Iterable[Path], lease: Lease) -> list[Path]:
    """Return the folders of epochs before that of the lease; those of versions without epochs are among them.

    A holder that lost the study after it passed the fence leaves what later ones build.
    """
    found = ((folder, _EPOCH.search(folder.name)) for folder in folders)
    return [folder for folder, epoch in found if epoch is None or int(epoch[1]) < lease.epoch]


def _move(building: Path, folder: Path) -> None:
    """Put a folder in the place of another one, which is out of sight at once and deleted afterwards."""
    before = building.with_name(f"{building.name}-before")
    with suppress(FileNotFoundError):
        folder.rename(before)
    building.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


class Checkpoints:
    """The weights of a study's trainings, one file each. A file appears whole or not at all.

    Beside those of a probe lies its saved state, for as long as the model may have to be trained on. Several writers at
    once are no harm. Whoever changes files has to pass the ``fence``: a runner gives that of its lease. All methods
    that change something raise `LeaseLost` if it is closed.
    """

    def __init__(self, data_dir: Path, study_id: str, fence: Fence = OPEN) -> None:
        self.study_id = study_id
        self._fence = fence
        self._data_dir = data_dir
        self._folder = study_dir(data_dir, study_id) / "checkpoints"

    def _path(self, training: Training) -> Path:
        return self._folder / f"{hashlib.sha256(training.key.encode()).hexdigest()[:32]}.safetensors"

    def _state_path(self, training: Training) -> Path:
        return self._path(training).with_suffix(_STATE)

    def save(self, training: Training, weights: bytes) -> None:
        """Keep a training's weights.

        Raises:
            Unavailable: they can't be written.
        """
        self._put(self._path(training), lambda partial: partial.write_bytes(weights))

    def take_over(self, study_id: str, theirs: Training, ours: Training) -> bool:
        """Keep the weights of another study's training as those of ``ours``; return False if they are gone.

        The file is shared if the file system can do so. Each study can be deleted without harm to the other: a
        checkpoint is never changed, and its bytes stay as long as one of them has it.

        Raises:
            Unavailable: they can't be written.
        """
        source = Checkpoints(self._data_dir, study_id)._path(theirs)
        if source == self._path(ours) or not source.is_file():
            return source.is_file()
        try:
            self._put(self._path(ours), lambda partial: _link_or_copy(source, partial))
        except Unavailable:
            if source.is_file():
                raise
            return False  # deleted at this moment
        return True

    def _put(self, path: Path, write: Callable[[Path], object]) -> None:
        partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}{_PARTIAL}")
        self._fence.check()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                write(partial)
                self._fence.check()
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)  # also if both are names of one file: the system leaves both then
        except OSError as error:
            raise Unavailable(f"a checkpoint can't be written to {self._folder}: {error.strerror}") from error

    def drop_partials(self) -> None:
        """Delete what runners that were killed had not written to its end."""
        self._drop(self._folder.glob(f"*{_PARTIAL}"))

    def load(self, training: Training) -> bytes:
        """Return a training's weights.

        Raises:
            Unavailable: they are not there any more.
        """
        try:
            return self._path(training).read_bytes()
        except OSError as error:
            raise Unavailable(f"the checkpoint {self._path(training)} can't be read: {error.strerror}") from error

    def save_state(self, training: Training, state: bytes) -> None:
        """Keep the state of a training that ended early.

        Raises:
            Unavailable: it can't be written.
        """
        self._put(self._state_path(training), lambda partial: partial.write_bytes(state))

    def take_over_state(self, study_id: str, theirs: Training, ours: Training) -> None:
        """Keep the state of another study's training as that of ``ours``, if there is one.

        Raises:
            Unavailable: it can't be written.
        """
        source = Checkpoints(self._data_dir, study_id)._state_path(theirs)
        if source != self._state_path(ours) and source.is_file():
            try:
                self._put(self._state_path(ours), lambda partial: _link_or_copy(source, partial))
            except Unavailable:
                if source.is_file():  # otherwise deleted at this moment
                    raise

    def has_state(self, training: Training) -> bool:
        """Return whether the state of a training is there."""
        return self._state_path(training).is_file()

    def load_state(self, training: Training) -> PackedState | None:
        """Return the state of a training; None if there is none.

        A file that can't be read gives an empty state, which is refused like any other damage.
        """
        try:
            with self._state_path(training).open("rb") as file:
                return PackedState(file.read(MAX_STATE_BYTES + 1))
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("the saved state %s can't be read: %s", self._state_path(training), error.strerror)
            return PackedState(b"")

    def drop_state(self, training: Training) -> None:
        """Delete the state of a training, if there is one."""
        if self.has_state(training):
            self._drop([self._state_path(training)])

    def drop_states(self) -> None:
        """Delete all states."""
        self._drop(self._folder.glob(f"*{_STATE}"))

    def _drop(self, paths: Iterable[Path]) -> None:
        if found := list(paths):
            self._fence.check()
            for path in found:
                with suppress(OSError):  # it is deleted with the study at the latest
                    path.unlink(missing_ok=True)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def remove_study_files(data_dir: Path, study_id: str) -> None:
    """Delete all files of a study."""
    shutil.rmtree(study_dir(data_dir, study_id), ignore_errors=True)
