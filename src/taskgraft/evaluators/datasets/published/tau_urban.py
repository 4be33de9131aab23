"""TAU Urban Acoustic Scenes 2020 and 2022 Mobile, development sets (Heittola, Mesaros and Virtanen, 2020)."""

from collections.abc import Collection, Sequence

from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.forms import PATH, SPLIT
from taskgraft.evaluators.datasets.published.reading import GROUP, ClipTables, Folder, join_lists, keep_rows
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.table import Table

_META = "meta.csv"
_TRAIN = "evaluation_setup/fold1_train.csv"
_TEST = ("evaluation_setup/fold1_evaluate.csv", "evaluation_setup/fold1_test.csv")
_REQUIRED = ("filename", "scene_label", "identifier", "source_label")


class TauUrban:
    """``meta.csv`` describes all clips; the lists of fold 1 say which are for training and which for the test."""

    name = "tau-urban"

    def tables(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the description and the two lists of the fold."""
        test = next((name for name in _TEST if name in names), None)
        return (_META, _TRAIN, test) if test and _META in names and _TRAIN in names else ()

    def read(self, folder: Folder, tables: Sequence[str], faults: FaultLog) -> ClipTables:
        """Return the clips of the fold with scene and device, and their place of recording as the group."""
        meta = folder.read_tabs(tables[0], _REQUIRED, faults)
        if meta is None:
            return ClipTables(join_lists(folder, [], faults))
        described = frozenset(meta.columns["filename"])
        splits: dict[str, tuple[Split, str]] = {}
        for name, split in zip(tables[1:], (Split.TRAIN, Split.TEST), strict=True):
            _read_list(folder, name, split, described, splits, faults)
        clips = _select(folder, meta, splits, faults)
        left_out = len(meta.lines) - sum(name in splits for name in meta.columns["filename"])
        notes = [f"clips of {_META} that are in no list of the fold are left out: {left_out:,}"] if left_out else []
        return ClipTables(join_lists(folder, [clips], faults, notes))


def _read_list(
    folder: Folder,
    source: str,
    split: Split,
    described: frozenset[str],
    splits: dict[str, tuple[Split, str]],
    faults: FaultLog,
) -> None:
    """Add a list's clips to ``splits``: name -> split and where it is listed."""
    table = folder.read_tabs(source, ("filename",), faults)
    if table is None:
        return
    for row, name in enumerate(table.columns["filename"]):
        if name not in described:
            faults.add(table.at(row), f"a list names clips of {_META}; got {name!r}")
        elif name in splits:
            faults.add(table.at(row), f"a clip is listed once; {name!r} is already at {splits[name][1]}")
        else:
            splits[name] = split, table.at(row)


def _select(folder: Folder, meta: Table, splits: dict[str, tuple[Split, str]], faults: FaultLog) -> Table:
    """Return the clips that are in a list and whose recording is there."""
    rows, paths = [], []
    for row, name in enumerate(meta.columns["filename"]):
        if name in splits and (path := folder.find(name, meta.at(row), faults)) is not None:
            rows.append(row)
            paths.append(path)
    names, scenes, places, devices = ([meta.columns[name][row] for row in rows] for name in _REQUIRED)
    columns = {
        PATH: paths,
        SPLIT: [splits[name][0].value for name in names],
        GROUP: places,
        "scene": scenes,
        "device": devices,
    }
    return keep_rows(meta, rows, columns)
