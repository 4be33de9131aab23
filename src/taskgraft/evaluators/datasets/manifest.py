"""Manifests: which clips a data set has, what their labels are, and which split each belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.layout import Layout, find_layout, read_tables
from taskgraft.evaluators.datasets.paths import Containment, normalise
from taskgraft.evaluators.datasets.published.reading import ClipTables
from taskgraft.evaluators.datasets.segments import SEGMENTS_NAME, Region, Segments, published_segments, read_segments
from taskgraft.evaluators.datasets.splits import Split, make_splits
from taskgraft.evaluators.datasets.table import Table

_PATH, _SPLIT, _GROUP = "path", "split", "group"


@dataclass(frozen=True, slots=True)
class Corpus:
    """A data set by columns: entry ``i`` of every column belongs to clip ``i`` of the manifest.

    Made by `read_corpus`, which holds every rule of the form.
    """

    name: str
    layout: Layout
    """Folder and tables; the clips' paths start at the folder."""
    paths: tuple[str, ...]
    """Relative, with ``/``, each once."""
    splits: tuple[Split, ...]
    labels: Mapping[str, tuple[str, ...]]
    """Column -> one value per clip; an empty one is missing."""
    segments: Mapping[str, Mapping[int, tuple[Region, ...]]]
    """Event -> clip -> regions in seconds, in order and apart."""
    annotated: frozenset[int]
    """Clips that the segments speak of; any other clip is unlabelled for frames tasks."""
    groups: tuple[str, ...] | None = None
    """The clips' values in the column ``group``, an empty one if a clip stands alone; None without that column."""

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def root(self) -> Path:
        """The folder that the clips' paths start at."""
        return self.layout.root

    def audio(self, clip: int) -> Path:
        """Return the file of a clip."""
        return self.root / self.paths[clip]

    def group_numbers(self) -> NDArray[np.int64] | None:
        """Return a number for every clip that clips of one group share [clips]; None without the column ``group``."""
        if self.groups is None:
            return None
        # A path is never empty and a clip's own, but it may be the name of a group: so it is marked.
        names = [f"g{group}" if group else f"p{path}" for group, path in zip(self.groups, self.paths, strict=True)]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Scan:
    """The sound part of a manifest: rows whose path can be used, while the faults of the others are in a log."""

    layout: Layout
    table: Table
    rows: tuple[int, ...]
    """Place of every kept clip in the table."""
    paths: tuple[str, ...]
    splits: tuple[Split | None, ...]
    """None if the manifest's word is not a split."""
    labels: Mapping[str, tuple[str, ...]]
    groups: tuple[str, ...]
    """Values of the column ``group``; empty ones if it is absent."""
    segments: Segments

    def at(self, clip: int) -> str:
        """Return where a clip stands: ``manifest.csv:12``."""
        return self.table.at(self.rows[clip])


def read_corpus(manifest: Path, name: str | None = None) -> Corpus:
    """Read a manifest in any of the `forms`, or a `published` corpus; audio files are not opened.

    ``manifest`` is a file, or a folder that holds one, perhaps with ``segments.csv`` beside it. ``name`` is the
    folder's name if it is not given. Splits that the manifest does not have are made by `make_splits`.

    Raises:
        MalformedInput: the manifest is not a table.
        InvalidInput: anything in the tables breaks a rule; every fault says its file and line.
    """
    faults = FaultLog()
    scan = scan_manifest(manifest, faults)
    faults.raise_if_any()
    return Corpus(
        name=name or scan.layout.root.absolute().name,
        layout=scan.layout,
        paths=scan.paths,
        splits=tuple(split for split in scan.splits if split is not None),
        labels=scan.labels,
        segments=scan.segments.regions,
        annotated=frozenset(scan.segments.annotated),
        groups=scan.groups if _GROUP in scan.table.columns else None,
    )


def scan_manifest(manifest: Path, faults: FaultLog) -> Scan:
    """Read all that can be read, and log every fault of the rest.

    Raises:
        InvalidInput: there is no table, or it has no column of paths.
    """
    layout = find_layout(manifest)
    tables = read_tables(layout, faults)
    table = tables.clips
    if not table.lines:
        faults.add(table.source, "a manifest has at least one clip; got none")
    kept = _usable_paths(table, layout.root, faults)
    rows, paths = tuple(kept.values()), tuple(kept)
    columns = {name: tuple(map(cells.__getitem__, rows)) for name, cells in table.columns.items()}
    groups = columns.get(_GROUP, ("",) * len(rows))
    if _SPLIT in columns:
        splits = _read_splits(table, rows, faults)
        _check_splits(table, splits, faults)
    else:
        splits = _make_splits(table, paths, groups, faults)
    return Scan(
        layout=layout,
        table=table,
        rows=rows,
        paths=paths,
        splits=splits,
        labels={name: cells for name, cells in columns.items() if name not in (_PATH, _SPLIT, _GROUP)},
        groups=groups,
        segments=_read_segments(layout, tables, {path: place for place, path in enumerate(paths)}, faults),
    )


def _read_segments(layout: Layout, tables: ClipTables, places: Mapping[str, int], faults: FaultLog) -> Segments:
    if tables.events is not None:
        return published_segments(tables.events, places, faults)
    return read_segments(layout.root / SEGMENTS_NAME, places, faults)


def _usable_paths(table: Table, root: Path, faults: FaultLog) -> dict[str, int]:
    """Return normalised path -> row, for the rows whose path is sound and new."""
    kept: dict[str, int] = {}
    inside = Containment(root)
    for row, given in enumerate(table.columns[_PATH]):
        try:
            path = normalise(given)
        except ValueError as error:
            faults.add(table.at(row), str(error))
            continue
        if path in kept:
            faults.add(table.at(row), f"a clip appears once; {path!r} is already at {table.at(kept[path])}")
        elif not inside.holds(path):
            faults.add(table.at(row), f"a path stays inside the manifest's folder; {path!r} is a link out of it")
        else:
            kept[path] = row
    return kept


def _read_splits(table: Table, rows: Sequence[int], faults: FaultLog) -> tuple[Split | None, ...]:
    """Return the splits of ``rows``; the words of all rows are checked."""
    splits = [_split(word, table.at(row), faults) for row, word in enumerate(table.columns[_SPLIT])]
    return tuple(splits[row] for row in rows)


def _check_splits(table: Table, splits: Sequence[Split | None], faults: FaultLog) -> None:
    """Check that every split has clips: otherwise no task can be learned and measured."""
    for split in Split if splits and None not in splits else ():
        if split not in splits:
            faults.add(table.header, f"every split has clips; {split} has none")


def _make_splits(
    table: Table, paths: Sequence[str], groups: Sequence[str], faults: FaultLog
) -> tuple[Split | None, ...]:
    try:
        return make_splits([group or path for group, path in zip(groups, paths, strict=True)])
    except ValueError as error:
        if paths:
            faults.add(table.header, f"there is no column 'split', and none can be made: {error}")
        return (None,) * len(paths)


def _split(word: str, where: str, faults: FaultLog) -> Split | None:
    try:
        return Split(word)
    except ValueError:
        faults.add(where, f"a split is one of {', '.join(Split)}; got {word!r}")
        return None
