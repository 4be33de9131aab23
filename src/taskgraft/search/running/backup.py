"""Backups: the database and the files of a service, in one folder that says what it holds.

The database is copied first, as it is at one moment, and then the files. A training's weights are written before its
trial is recorded, and a bundle before its study has succeeded: whatever the copy of the database speaks of is among the
files that are copied afterwards. The other way round, a trial could be there whose weights are missing.
"""

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from taskgraft.errors import Conflict, Fault, InvalidInput, Unavailable
from taskgraft.evaluators.unfinished import sweep_unfinished, unfinished
from taskgraft.search.running.backup_files import KEPT, BackupFile, copy_data, copy_file, digest_file
from taskgraft.search.store import Store
from taskgraft.search.store.dumps import Dump, check_loadable, dump, load

MANIFEST = "backup.json"
_DATABASE = "database"
_DATA = "data"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: when and by which version it was made, its database, and its files below the data folder."""

    taskgraft: str
    created_at: str
    database: Dump
    dump: BackupFile
    files: tuple[BackupFile, ...]
    schema: Literal["taskgraft.backup/1"] = "taskgraft.backup/1"

    @property
    def bytes(self) -> int:
        """The size of the database and all files together."""
        return sum(file.bytes for file in (self.dump, *self.files))

    def to_json(self) -> dict[str, Any]:
        """Return what ``backup.json`` holds."""
        return asdict(self)


_BACKUP = TypeAdapter(Backup)


def write_backup(folder: Path, database_url: str, data_dir: Path) -> Backup:
    """Write a backup to the new ``folder``, which appears whole or not at all. Runners may be at work meanwhile.

    Raises:
        InvalidInput: a URL that the store does not take.
        Conflict: ``folder`` is there already.
        Unavailable: the database does not do its part, or the disk does not.
    """
    if folder.exists() or folder.is_symlink():
        raise Conflict(f"a backup is written to a new folder; {folder} is there already")
    try:
        sweep_unfinished(folder.parent)
        with unfinished(folder.absolute()) as building:
            backup = _write(building, database_url, data_dir)
            building.rename(folder)
    except OSError as error:
        raise Unavailable(f"the backup can't be written to {folder}: {error}") from error
    return backup


def _write(folder: Path, database_url: str, data_dir: Path) -> Backup:
    folder.chmod(0o700)  # it holds everything
    found = dump(database_url, folder / _DATABASE)
    backup = Backup(
        taskgraft=version("taskgraft"),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        database=found,
        dump=digest_file(folder / _DATABASE, _DATABASE),
        files=tuple(copy_data(data_dir, folder / _DATA)),
    )
    (folder / MANIFEST).write_text(json.dumps(backup.to_json(), indent=1) + "\n", "utf-8")
    return backup


def read_backup(folder: Path) -> Backup:
    """Return what a backup says that it holds.

    Raises:
        InvalidInput: there is none, or what it says breaks a rule.
    """
    manifest = folder / MANIFEST
    try:
        return _BACKUP.validate_python(json.loads(manifest.read_text("utf-8")))
    except OSError as error:
        raise InvalidInput.at(str(folder), f"a backup has a file {MANIFEST}: {error.strerror}") from error
    except ValidationError as error:
        faults = [(".".join(map(str, found["loc"])), found["msg"]) for found in error.errors()]
        raise InvalidInput(Fault(f"{manifest}: {where}", message) for where, message in faults) from error
    except ValueError as error:
        raise InvalidInput.at(str(manifest), f"is no JSON: {error}") from error


def check_backup(folder: Path) -> Backup:
    """Return a backup whose files are all there and have the bytes that were written.

    Raises:
        InvalidInput: it is damaged; with every file that is.
    """
    backup = read_backup(folder)
    if faults := [fault for file in (backup.dump, *backup.files) if (fault := _damage(folder, file))]:
        raise InvalidInput(faults)
    return backup


def _damage(folder: Path, file: BackupFile) -> Fault | None:
    path = _place(folder, file)
    try:
        if path.resolve(strict=True) != folder.resolve() / path.relative_to(folder):
            return Fault(str(path), "is a link, or lies behind one")
        found = digest_file(path, file.path)
    except OSError as error:
        return Fault(str(path), f"the backup is damaged: {error.strerror}")
    if found != file:
        return Fault(str(path), f"the backup is damaged: {file.bytes:,} bytes with another SHA-256 were written")
    return None


def _place(folder: Path, file: BackupFile) -> Path:
    return folder / _DATABASE if file.path == _DATABASE else folder / _DATA / file.path


def restore_backup(folder: Path, database_url: str, data_dir: Path) -> Backup:
    """Restore a backup into an empty database and an empty data folder; nothing is left of one that fails.

    Everything is checked before anything is written. The database comes last: a service finds none before it is whole.

    Raises:
        InvalidInput: the backup is damaged, or of another kind of database.
        Conflict: the data folder or the database is not empty.
        Unavailable: the backup was made by a newer Taskgraft, or the database or the disk does not do its part.
    """
    check_loadable(read_backup(folder).database, database_url)
    if data_dir.is_dir() and any(data_dir.iterdir()):
        raise Conflict(f"a backup is restored into an empty data folder; {data_dir} is not")
    backup = check_backup(folder)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        for file in backup.files:
            if copy_file(_place(folder, file), data_dir / file.path, file.path) != file:
                raise Unavailable(f"{file.path} changed while it was restored")
        load(_place(folder, backup.dump), database_url)
    except (OSError, Unavailable) as error:
        for kept in KEPT:
            with suppress(OSError):
                shutil.rmtree(data_dir / kept)
        if isinstance(error, Unavailable):
            raise
        raise Unavailable(f"the backup can't be restored to {data_dir}: {error}") from error
    Store(database_url).close()  # brings its tables up to date, and shows that it can be opened
    return backup
