"""DESED (Turpault et al., 2019, https://project.inria.fr/desed): recorded and synthetic sounds of a home."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.forms import PATH, SPLIT, SPLIT_WORDS
from taskgraft.evaluators.datasets.published.reading import GROUP, ClipTables, Folder, join_lists, keep_rows
from taskgraft.evaluators.datasets.segments import SEGMENT_COLUMNS
from taskgraft.evaluators.datasets.table import Table, check_cells, join_tables

_SYNTHETIC = r"synthetic\d*(_train|_validation)?(/soundscapes)?"
_LIST = re.compile(
    r"(dataset/)?metadata/"
    rf"(train/(weak|unlabel_in_domain|audioset_strong|{_SYNTHETIC})|validation/(validation|{_SYNTHETIC})|eval/public)\.tsv"
)
_AUDIO = {"audioset_strong": "strong_label_real"}
"""Lists whose recordings lie in a folder of another name."""
_RECORDED = re.compile(r"(?P<video>.{11,12})_\d+(\.\d+)?_\d+(\.\d+)?\.wav")
_FILE = "filename"
_BARE, _WEAK = frozenset({_FILE}), frozenset({_FILE, "event_labels"})
_STRONG = frozenset({_FILE, "onset", "offset", "event_label"})
_RULE = "filename, onset, offset, event_label (strong); filename, event_labels (weak); or filename (no labels)"


@dataclass(slots=True)
class _Listed:
    """What a list says of its clips."""

    split: str
    table: Table
    lines: dict[str, int] = field(default_factory=dict)
    """Path -> its first line."""
    heard: dict[str, set[str]] = field(default_factory=dict)
    """Path -> events that sound somewhere in the clip; a clip without labels is not here."""
    segments: Table | None = None
    """When the events sound, from a list with strong labels."""


class Desed:
    """Lists below ``metadata`` name the recordings in the folder of the same name below ``audio``."""

    name = "desed"

    def tables(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the lists; none if no list has labels."""
        found = sorted(filter(_LIST.fullmatch, names))
        return tuple(found) if any("unlabel" not in name for name in found) else ()

    def read(self, folder: Folder, tables: Sequence[str], faults: FaultLog) -> ClipTables:
        """Return the clips with a column ``has_EVENT`` for every event, and when the events sound."""
        held = {name.rpartition("/")[0] for name in folder.names}
        notes: list[str] = []
        found: list[_Listed] = []
        for name in tables:
            if (audio := _audio_folder(name, held)) is None:
                notes.append(f"{name} is left out: the folder has none of its recordings")
            elif (listed := _read_list(folder, name, audio, faults)) is not None:
                found.append(listed)
        events = sorted({event for listed in found for heard in listed.heard.values() for event in heard})
        check_cells(folder.name, sum(len(listed.lines) for listed in found), len(events))
        clips = join_lists(folder, [_clip_table(listed, events) for listed in found], faults, notes)
        segments = [listed.segments for listed in found if listed.segments is not None]
        return ClipTables(clips, join_tables(folder.name, segments) if segments else None)


def _audio_folder(name: str, held: Collection[str]) -> str | None:
    """Return the folder of a list's recordings, or of their copies at 16 kHz; None if there is neither."""
    base, split, part = _parts(name)
    audio = f"{base}audio/{split}"
    own = f"{audio}/{_AUDIO.get(part, part)}"
    places = [own, f"{own}_16k", *([audio] if part == split else [])]
    return next((place for place in places if place in held), None)


def _parts(name: str) -> tuple[str, str, str]:
    """Return what lies before ``metadata``, the split's folder, and the name of a list.

    >>> _parts("dataset/metadata/train/synthetic21_train/soundscapes.tsv")
    ('dataset/', 'train', 'synthetic21_train/soundscapes')
    """
    base, _, rest = name.removesuffix(".tsv").partition("metadata/")
    split, _, part = rest.partition("/")
    return base, split, part


def _read_list(folder: Folder, name: str, audio: str, faults: FaultLog) -> _Listed | None:
    """Read a list of any kind: its columns tell which."""
    table = folder.read_tabs(name, (_FILE,), faults)
    if table is None:
        return None
    if (columns := frozenset(table.columns)) not in (_BARE, _WEAK, _STRONG):
        faults.add(table.header, f"the columns of a list are {_RULE}; there are {list(table.columns)!r:.1000}")
        return None
    listed = _Listed(SPLIT_WORDS[_parts(name)[1]].value, table)
    paths = _read_paths(folder, listed, audio, faults, repeated=columns == _STRONG)
    if columns == _WEAK:
        _read_weak(listed, paths, faults)
    elif columns == _STRONG:
        _read_strong(listed, paths)
    return listed


def _read_paths(
    folder: Folder, listed: _Listed, audio: str, faults: FaultLog, *, repeated: bool
) -> list[tuple[int, str]]:
    """Return the rows whose clip can be used, with its path; the fault of a clip is told once."""
    known: dict[str, str | None] = {}
    rows = []
    for row, given in enumerate(listed.table.columns[_FILE]):
        where = listed.table.at(row)
        if given not in known:
            known[given] = folder.find(f"{audio}/{given}", where, faults)
        elif not repeated:
            faults.add(where, f"a clip is listed once; {given!r} is listed already")
            continue
        if (path := known[given]) is not None:
            listed.lines.setdefault(path, listed.table.lines[row])
            rows.append((row, path))
    return rows


def _read_weak(listed: _Listed, rows: Sequence[tuple[int, str]], faults: FaultLog) -> None:
    for row, path in rows:
        cell = listed.table.columns["event_labels"][row]
        listed.heard[path] = {event for word in cell.split(",") if (event := word.strip())}
        if not listed.heard[path]:
            faults.add(listed.table.at(row), f"weak labels are events, separated by commas; got {cell!r}")


def _read_strong(listed: _Listed, rows: Sequence[tuple[int, str]]) -> None:
    """Take the rows over as segments, which are checked as such; one without event and times says that none sounds."""
    cells = listed.table.columns
    for row, path in rows:
        listed.heard.setdefault(path, set()).update([event] if (event := cells["event_label"][row]) else [])
    taken = [row for row, _ in rows]
    named = zip(SEGMENT_COLUMNS, (_FILE, "onset", "offset", "event_label"), strict=True)
    columns = {ours: [cells[theirs][row] for row in taken] for ours, theirs in named}
    listed.segments = keep_rows(listed.table, taken, {**columns, SEGMENT_COLUMNS[0]: [path for _, path in rows]})


def _clip_table(listed: _Listed, events: Sequence[str]) -> Table:
    """Return a list's clips; strong labels say which events a clip has as well as weak ones do."""
    columns = {
        PATH: list(listed.lines),
        SPLIT: [listed.split] * len(listed.lines),
        GROUP: [_video(path) for path in listed.lines],
    }
    for event in events:
        columns[f"has_{event}"] = [_has(event, listed.heard.get(path)) for path in listed.lines]
    return Table(listed.table.source, columns, list(listed.lines.values()))


def _has(event: str, heard: Collection[str] | None) -> str:
    if heard is None:
        return ""
    return "yes" if event in heard else "no"


def _video(path: str) -> str:
    """Return the video that a clip was cut from; an empty text for a synthetic one.

    >>> _video("audio/train/weak/Y00pbt6aJV8Y_350.000_360.000.wav"), _video("audio/train/synthetic20/1.wav")
    ('00pbt6aJV8Y', '')
    """
    found = _RECORDED.fullmatch(path.rpartition("/")[2])
    return found["video"][-11:] if found else ""
