"""Where a study's files lie below the data folder."""

import hashlib
import shutil
from pathlib import Path

from taskgraft.errors import Unavailable
from taskgraft.search.trial import Training


def feature_cache(data_dir: Path) -> Path:
    """The features of every corpus, shared by all studies."""
    return data_dir / "features"


def study_dir(data_dir: Path, study_id: str) -> Path:
    """Everything that one study keeps outside the database."""
    return data_dir / "studies" / study_id


def artifacts_dir(data_dir: Path, study_id: str) -> Path:
    """The bundle's files; the folder appears whole, when the export is done."""
    return study_dir(data_dir, study_id) / "artifacts"


def tune_dir(data_dir: Path, study_id: str) -> Path:
    """Where Tune keeps its own records while the study runs; nobody reads them."""
    return study_dir(data_dir, study_id) / "tune"


class Checkpoints:
    """The weights of a study's trainings, one file each. A file appears whole or not at all."""

    def __init__(self, data_dir: Path, study_id: str) -> None:
        self._folder = study_dir(data_dir, study_id) / "checkpoints"

    def _path(self, training: Training) -> Path:
        return self._folder / f"{hashlib.sha256(training.key.encode()).hexdigest()[:32]}.safetensors"

    def save(self, training: Training, weights: bytes) -> None:
        """Keep a training's weights.

        Raises:
            Unavailable: they can't be written.
        """
        path = self._path(training)
        partial = path.with_suffix(".partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(weights)
            partial.replace(path)
        except OSError as error:
            raise Unavailable(f"a checkpoint can't be written to {self._folder}: {error.strerror}") from error

    def load(self, training: Training) -> bytes:
        """A training's weights.

        Raises:
            Unavailable: they are not there any more.
        """
        try:
            return self._path(training).read_bytes()
        except OSError as error:
            raise Unavailable(f"the checkpoint {self._path(training)} can't be read: {error.strerror}") from error


def remove_study_files(data_dir: Path, study_id: str) -> None:
    """Delete all files of a study."""
    shutil.rmtree(study_dir(data_dir, study_id), ignore_errors=True)
