"""Where the tables of a dataset lie: one file, or the files of a folder in a form, or of a corpus, that is known."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from taskgraft.errors import Fault, InvalidInput, MalformedInput
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.forms import FORMS, PATH, SPLIT, form_of, split_of_file, split_of_folder
from taskgraft.evaluators.datasets.paths import Containment, is_text, walk
from taskgraft.evaluators.datasets.published.known import CORPORA, corpus_of
from taskgraft.evaluators.datasets.published.reading import ClipTables, Folder, Published
from taskgraft.evaluators.datasets.table import JSON_LINES, MAX_BYTES, MAX_ROWS, Table, join_tables, read_table

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".w64", ".caf"})
RULE = "manifest.csv, manifest.parquet, metadata.csv, metadata.jsonl, or JSON lines with audio_filepath"
MAX_LIST_BYTES = 4 * MAX_BYTES
"""All lists of a published corpus together."""
_LABEL = "label"
_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Layout:
    """A dataset's folder, and its tables relative to it; without tables the folders of its clips are the labels.

    ``corpus`` reads the tables of a published corpus; without it they are manifests.
    """

    root: Path
    tables: tuple[str, ...]
    corpus: Published | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The tables' files."""
        return tuple(self.root / name for name in self.tables)


def find_layout(path: Path) -> Layout:
    """Return the layout of a manifest, or of a folder that holds one or is a copy of a published corpus.

    Raises:
        InvalidInput: ``path`` does not exist, or the folder has no manifest, more than one, or a link out of it.
    """
    if path.is_dir():
        tables, corpus = _find(list(walk(path)), path.name)
        inside = Containment(path)
        if strays := [name for name in tables if not inside.holds(name)]:
            raise InvalidInput(
                Fault(name, "a manifest lies in its folder; this is a link out of it") for name in strays
            )
        return Layout(path, tables, corpus)
    if not path.exists():
        raise InvalidInput.at(path.name, f"does not exist: {path}")
    return Layout(path.parent, (path.name,))


def find_tables(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Return which of a folder's files, by their relative names, are its tables; none if folders are the labels.

    Raises:
        InvalidInput: at ``where``: no manifest, or more than one.
    """
    return _find(names, where)[0]


def _find(names: Sequence[str], where: str) -> tuple[tuple[str, ...], Published | None]:
    """Return the tables, and the published corpus that they are of: a manifest goes before it."""
    kinds: tuple[Callable[[str], bool], ...] = (_is_own, _is_metadata, _is_nemo)
    candidates = [name for name in names if name.endswith((".csv", ".parquet", *JSON_LINES))]
    found = [sorted(filter(is_kind, candidates)) for is_kind in kinds]
    tables = [name for group in found for name in group]
    if not tables and (corpus := corpus_of(names)) is not None:
        return corpus.tables(names), corpus
    if not tables and any(map(_label_of, names)):
        return (), None
    if not tables:
        known = ", ".join(corpus.name for corpus in CORPORA)
        raise InvalidInput.at(where, f"a dataset has a manifest ({RULE}), or is a copy of a corpus ({known}); got none")
    if sum(map(bool, found)) > 1 or not _belong_together(tables):
        shown = ", ".join(tables[:_MAX_NAMED]) + (" ..." if len(tables) > _MAX_NAMED else "")
        raise InvalidInput.at(where, f"a dataset has one manifest, or one for each split; got {shown}")
    return tuple(tables), None


def read_tables(layout: Layout, faults: FaultLog) -> ClipTables:
    """Read the tables in our own form.

    Raises:
        InvalidInput: a table can't be read, or has no column of paths.
    """
    if layout.corpus is not None:
        _check_bytes(layout)
        return layout.corpus.read(Folder.of(layout.root), layout.tables, faults)
    if not layout.tables:
        return ClipTables(_read_folders(layout.root, faults))
    tables = [_read(layout.root, name, faults) for name in layout.tables]
    if len(tables) == 1:
        return ClipTables(tables[0])
    return ClipTables(join_tables(layout.root.name, tables))


def _check_bytes(layout: Layout) -> None:
    """Check the lists of a corpus together: each is bounded as a table, but there may be many."""
    total = sum(path.stat().st_size for path in layout.files if path.is_file())
    if total > MAX_LIST_BYTES:
        raise MalformedInput.at(
            layout.root.absolute().name, f"the lists have at most {MAX_LIST_BYTES:,} bytes; got {total:,}"
        )


def _read(root: Path, name: str, faults: FaultLog) -> Table:
    table = read_table(root / name, (), faults)
    if "/" in name:  # files of several folders have the same name
        table = Table(name, table.columns, table.lines, left_out=table.left_out)
    form = form_of(table, name)
    if form is None:
        others = " or ".join(repr(form.path_column) for form in FORMS[1:])
        where = table.source if name.endswith((*JSON_LINES, ".parquet")) else table.header
        message = f"column {PATH!r} is missing ({others} would do too); there are {list(table.columns)!r:.1000}"
        raise InvalidInput.at(where, message)
    return form.to_manifest(table, root, name, faults)


def _is_own(name: str) -> bool:
    return name in ("manifest.csv", "manifest.parquet")


def _is_metadata(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name in ("metadata.csv", "metadata.jsonl", "metadata.parquet") and len(path.parts) <= 3


def _is_nemo(name: str) -> bool:
    path = PurePosixPath(name)
    if len(path.parts) > 1 or path.suffix not in JSON_LINES or _is_metadata(name):
        return False
    return path.suffix == ".jsonl" or "manifest" in path.stem.lower() or bool(split_of_file(name))


def _belong_together(tables: Sequence[str]) -> bool:
    """Return whether there is one table, or each names another split by its folder or its file name."""
    splits = [split_of_folder(name) or split_of_file(name) for name in tables]
    return len(tables) == 1 or (all(splits) and len(set(splits)) == len(splits))


def _label_of(name: str) -> tuple[str, str] | None:
    """Return split and label of ``split/label/clip.wav``; None for any other file."""
    path = PurePosixPath(name)
    if len(path.parts) != 3 or path.suffix.lower() not in AUDIO_SUFFIXES:
        return None
    split = split_of_folder(f"{path.parts[0]}/{path.name}")
    return (split, path.parts[1]) if split else None


def _read_folders(root: Path, faults: FaultLog) -> Table:
    """Read a folder without tables: the first folder of a clip is its split, the second its label."""
    labels = {name: found for name in walk(root) if (found := _label_of(name))}
    if len(labels) > MAX_ROWS:
        raise MalformedInput.at(root.name, f"at most {MAX_ROWS:,} clips; got {len(labels):,}")
    for name in [name for name in labels if not is_text(name)]:
        faults.add(root.name, f"names of files are UTF-8; got {os.fsencode(name)!r}")
        del labels[name]
    columns = {
        PATH: list(labels),
        SPLIT: [split for split, _ in labels.values()],
        _LABEL: [label for _, label in labels.values()],
    }
    return Table(root.name, columns, [0] * len(labels))
