"""What all readers of published corpora share: the folder, its lists, and the table that is made of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.forms import PATH, SPLIT
from taskgraft.evaluators.datasets.paths import normalise, walk
from taskgraft.evaluators.datasets.splits import Split, complete_splits
from taskgraft.evaluators.datasets.table import Table, join_tables, read_lines, read_tabs

GROUP = "group"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClipTables:
    """A dataset in our own form: a table of its clips, and one of its events if the dataset brings them along.

    ``events`` has the columns of ``segments.csv``; without it that file is read, if it is there.
    """

    clips: Table
    events: Table | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A corpus's folder and the relative names of all its files; links to folders are not followed."""

    root: Path
    names: frozenset[str]

    @classmethod
    def of(cls, root: Path) -> "Folder":
        """Return the folder with the files that it holds now."""
        return cls(root, frozenset(walk(root)))

    @property
    def name(self) -> str:
        """The folder's own name, even if it was given as ``.``."""
        return self.root.absolute().name

    def read_tabs(self, name: str, required: Sequence[str], faults: FaultLog) -> Table | None:
        """Return a table whose cells are separated by tabs; None if it can't be read, which is logged."""
        table = self._read(name, lambda path, log: read_tabs(path, required, log), faults)
        return replace(table, source=name) if table is not None else None

    def read_lines(self, name: str, faults: FaultLog) -> list[tuple[int, str]]:
        """Return the lines of a list that are not blank, each with its number; none if it can't be read."""
        lines = self._read(name, lambda path, log: read_lines(path), faults) or []
        return [(number, line) for number, line in enumerate(lines, start=1) if line]

    def find(self, path: str, where: str, faults: FaultLog) -> str | None:
        """Return the one spelling of a path that a list names; None if no clip can be used there, which is logged."""
        try:
            plain = normalise(path)
        except ValueError as error:
            faults.add(where, str(error))
            return None
        if plain not in self.names:
            faults.add(where, f"a list names clips that are there; {plain!r} is not below {self.name}")
            return None
        return plain

    def _read(self, name: str, read: Callable[[Path, FaultLog], T], faults: FaultLog) -> T | None:
        """Read a file and log its faults under its relative name: several folders have files of one name."""
        log, found = FaultLog(), None
        try:
            found = read(self.root / name, log)
        except InvalidInput as error:
            log.include(error)
        folder = PurePosixPath(name).parent
        for fault in log.faults:
            faults.add(str(folder / fault.where), fault.message)
        faults.count += log.count - len(log.faults)
        return found


class Published(Protocol):
    """A published corpus, read from a copy of it as it is unpacked."""

    @property
    def name(self) -> str:
        """The name that the documentation uses."""
        ...

    def tables(self, names: Collection[str]) -> tuple[str, ...]:
        """Return which of a folder's files say what its clips are; none if the folder is not a copy of the corpus."""
        ...

    def read(self, folder: Folder, tables: Sequence[str], faults: FaultLog) -> ClipTables:
        """Return the corpus in our own form, and log every fault of ``tables``.

        Raises:
            MalformedInput: the clips or their labels are too many.
        """
        ...


def join_lists(folder: Folder, lists: Sequence[Table], faults: FaultLog, notes: Sequence[str] = ()) -> Table:
    """Return the clips of all lists as one table, with the splits that are not official drawn from those that are."""
    empty = Table(folder.name, {PATH: []}, [])
    table = lists[0] if len(lists) == 1 else join_tables(folder.name, lists or [empty])
    return replace(_with_all_splits(table, faults), notes=(*table.notes, *notes))


def keep_rows(table: Table, rows: Sequence[int], columns: Mapping[str, Sequence[str]]) -> Table:
    """Return a table of ``columns``, whose rows are those of ``table`` that are kept."""
    kept = {name: list(cells) for name, cells in columns.items()}
    return Table(table.source, kept, [table.lines[row] for row in rows])


def _with_all_splits(table: Table, faults: FaultLog) -> Table:
    """Return the table with every split; one without official splits is left to the rule of all manifests."""
    if not table.lines or SPLIT not in table.columns:
        return table
    groups = table.columns.get(GROUP, [""] * len(table.lines))
    names = [group or path for group, path in zip(groups, table.columns[PATH], strict=True)]
    try:
        splits = complete_splits([Split(word) for word in table.columns[SPLIT]], names)
    except ValueError as error:
        faults.add(table.header, f"the official splits are not complete: {error}")
        return table
    return replace(table, columns={**table.columns, SPLIT: [split.value for split in splits]})
