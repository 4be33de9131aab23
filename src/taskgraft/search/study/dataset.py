"""Datasets of a service: a name, versions of its content, and what a check found about each."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.archive import extract
from taskgraft.evaluators.datasets.paths import is_inside
from taskgraft.evaluators.datasets.progress import Progress
from taskgraft.evaluators.datasets.registry import KNOWN, known_datasets
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.space.tasks import NAME_RULE, is_valid_name


class DatasetState(StrEnum):
    """Where a version of a dataset stands."""

    CHECKING = "checking"
    READY = "ready"
    BROKEN = "broken"


class Source(Protocol):
    """Where the files of a version come from."""

    @property
    def kind(self) -> str:
        """The word for this kind of source."""
        ...

    def manifest(self, data_dir: Path) -> Path:
        """Return the manifest, or the folder that holds one."""
        ...

    def unpack(self, data_dir: Path, progress: Progress) -> None:
        """Make the files readable if they are not yet; ``progress`` may raise to end this early.

        Raises:
            InvalidInput: what was given can't be unpacked.
        """
        ...

    def may_be_read(self, roots: Sequence[Path]) -> bool:
        """Return whether a service with these roots may read the files."""
        ...

    def remove(self, data_dir: Path) -> None:
        """Delete the files, as far as they are the service's own."""
        ...

    def to_json(self) -> dict[str, str]:
        """Return plain data that `source_from_json` reads back."""
        ...


@dataclass(frozen=True, slots=True)
class Registered:
    """A manifest under an allowed root; its files belong to somebody else and are never changed."""

    path: str
    """Absolute, without links."""
    kind = "registered"

    def manifest(self, data_dir: Path) -> Path:
        """Return the manifest's own path."""
        return Path(self.path)

    def unpack(self, data_dir: Path, progress: Progress) -> None:
        """Do nothing."""

    def may_be_read(self, roots: Sequence[Path]) -> bool:
        """Return whether the manifest lies in a root."""
        return is_inside(Path(self.path), roots)

    def remove(self, data_dir: Path) -> None:
        """Do nothing."""

    def to_json(self) -> dict[str, str]:
        """Return plain data that `source_from_json` reads back."""
        return {"kind": self.kind, "path": self.path}


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A zip that was uploaded into a folder of its own below the data folder."""

    folder: str
    kind = "uploaded"

    def manifest(self, data_dir: Path) -> Path:
        """Return the folder of the unpacked files."""
        return self._place(data_dir) / "files"

    def unpack(self, data_dir: Path, progress: Progress) -> None:
        """Unpack the zip, and then delete it; what a killed process left half unpacked is made again.

        Raises:
            InvalidInput: the zip breaks a rule that only its bytes show.
        """
        archive, files = upload_file(data_dir, self.folder), self.manifest(data_dir)
        if not files.exists():
            extract(archive, files, progress)
        archive.unlink(missing_ok=True)

    def may_be_read(self, roots: Sequence[Path]) -> bool:
        """Return True: it is the service's own."""
        return True

    def remove(self, data_dir: Path) -> None:
        """Delete the folder."""
        shutil.rmtree(self._place(data_dir), ignore_errors=True)

    def to_json(self) -> dict[str, str]:
        """Return plain data that `source_from_json` reads back."""
        return {"kind": self.kind, "folder": self.folder}

    def _place(self, data_dir: Path) -> Path:
        return datasets_dir(data_dir) / self.folder


_SOURCES: Mapping[str, type[Registered] | type[Uploaded]] = {source.kind: source for source in (Registered, Uploaded)}


def source_from_json(plain: Mapping[str, str]) -> Source:
    """Return the source that ``to_json`` made ``plain`` of."""
    return _SOURCES[plain["kind"]](**{name: value for name, value in plain.items() if name != "kind"})


def datasets_dir(data_dir: Path) -> Path:
    """Return the folder of all uploads."""
    return data_dir / "datasets"


def upload_file(data_dir: Path, folder: str) -> Path:
    """Return where the zip of an upload lies until it is unpacked."""
    return datasets_dir(data_dir) / folder / "upload.zip"


def check_name(name: str) -> str:
    """Return the name if a user's dataset may have it.

    Raises:
        InvalidInput: at ``name``: it breaks the rule, or belongs to a corpus that Taskgraft makes itself.
    """
    if not is_valid_name(name):
        raise InvalidInput.at("name", f"a dataset's name has {NAME_RULE}; got {name!r:.80}")
    if name in KNOWN:
        raise InvalidInput.at("name", f"{', '.join(known_datasets())} is Taskgraft's own; choose another name")
    return name


@dataclass(frozen=True, slots=True)
class Dataset:
    """One version of a dataset.

    ``content`` is a digest that shows at once whether the same is given again; ``fingerprint`` that of all its bytes,
    known once it was checked, as the ``report`` is. ``progress`` is how many clips were checked, of how many.
    ``made_by`` is the id of the token that made the first version, if any. ``stored_bytes`` are what an upload unpacks
    to, 0 if the files are not the service's own.
    """

    name: str
    version: int
    state: DatasetState
    source: Source
    content: str | None
    created_at: datetime
    updated_at: datetime
    fingerprint: str | None = None
    report: CheckReport | None = None
    progress: tuple[int, int] | None = None
    made_by: str | None = None
    stored_bytes: int = 0

    def faults(self) -> InvalidInput:
        """Return why it is broken, as an error at ``dataset``."""
        report = self.report
        if report is None:
            return InvalidInput.at("dataset", f"{self.name} is {self.state}")
        listed = [Fault("dataset", f"{self.name} is broken: {fault}") for fault in report.faults]
        return InvalidInput(listed, report.fault_count - len(listed))
