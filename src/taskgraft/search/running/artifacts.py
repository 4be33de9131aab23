"""Where a study's files lie below the data folder."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from taskgraft.errors import Unavailable
from taskgraft.search.study.trial import Training


def feature_cache(data_dir: Path) -> Path:
    """Return the folder of the features of every corpus, shared by all studies."""
    return data_dir / "features"


def study_dir(data_dir: Path, study_id: str) -> Path:
    """Return the folder of everything that one study keeps outside the database."""
    return data_dir / "studies" / study_id


def artifacts_dir(data_dir: Path, study_id: str) -> Path:
    """Return the folder of the bundle; it appears whole, when the export is done."""
    return study_dir(data_dir, study_id) / "artifacts"


def tune_dir(data_dir: Path, study_id: str) -> Path:
    """Return the folder where Tune keeps its own records while the study runs; nobody reads them."""
    return study_dir(data_dir, study_id) / "tune"


class Checkpoints:
    """The weights of a study's trainings, one file each. A file appears whole or not at all."""

    def __init__(self, data_dir: Path, study_id: str) -> None:
        self.study_id = study_id
        self._data_dir = data_dir
        self._folder = study_dir(data_dir, study_id) / "checkpoints"

    def _path(self, training: Training) -> Path:
        return self._folder / f"{hashlib.sha256(training.key.encode()).hexdigest()[:32]}.safetensors"

    def save(self, training: Training, weights: bytes) -> None:
        """Keep a training's weights.

        Raises:
            Unavailable: they can't be written.
        """
        self._put(training, lambda partial: partial.write_bytes(weights))

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
            self._put(ours, lambda partial: _link_or_copy(source, partial))
        except Unavailable:
            if source.is_file():
                raise
            return False  # deleted at this moment
        return True

    def _put(self, training: Training, write: Callable[[Path], object]) -> None:
        path = self._path(training)
        partial = path.with_suffix(".partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            write(partial)
            partial.replace(path)
            partial.unlink(missing_ok=True)  # two names of one file: the system leaves both
        except OSError as error:
            raise Unavailable(f"a checkpoint can't be written to {self._folder}: {error.strerror}") from error

    def load(self, training: Training) -> bytes:
        """Return a training's weights.

        Raises:
            Unavailable: they are not there any more.
        """
        try:
            return self._path(training).read_bytes()
        except OSError as error:
            raise Unavailable(f"the checkpoint {self._path(training)} can't be read: {error.strerror}") from error


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
