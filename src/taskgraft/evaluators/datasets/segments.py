"""``segments.csv``: when which event sounds in a clip, in seconds."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.paths import Containment, normalise
from taskgraft.evaluators.datasets.table import Table, read_table

SEGMENTS_NAME = "segments.csv"
_COLUMNS = ("path", "onset", "offset", "event")

Region = tuple[float, float]
"""Onset and offset in seconds, half-open."""


@dataclass(slots=True)
class Segments:
    """What ``segments.csv`` says.

    A clip that it does not mention is unlabelled for frames tasks. A row with nothing but a path says that nothing
    sounds there. In a clip that is mentioned, all that lies outside an event's regions is the event's absence.
    """

    regions: dict[str, dict[int, tuple[Region, ...]]] = field(default_factory=dict)
    """Event -> clip's place in the manifest -> regions in order, none of which touch."""
    annotated: set[int] = field(default_factory=set)
    """Places of the clips that are mentioned."""
    ends: dict[int, list[tuple[float, int]]] = field(default_factory=dict)
    """Clip's place -> every offset with its line."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A sound row: a segment, or a bare clip (no event, no time)."""

    place: int
    event: str
    region: Region
    line: int


def read_segments(path: Path, places: Mapping[str, int], faults: FaultLog) -> Segments:
    """Read the file where it exists; ``places`` holds every known clip's path and its place in the manifest."""
    segments = Segments()
    if not path.exists():
        return segments
    if not Containment(path.parent).holds(path.name):
        faults.add(path.name, "segments lie in the dataset's folder; this is a link out of it")
        return segments
    try:
        table = read_table(path, _COLUMNS, faults)
    except InvalidInput as error:
        faults.extend(error.faults)
        return segments
    found: dict[tuple[str, int], list[_Row]] = {}
    for row in _sound_rows(table, places, faults):
        segments.annotated.add(row.place)
        if row.event:
            found.setdefault((row.event, row.place), []).append(row)
            segments.ends.setdefault(row.place, []).append((row.region[1], row.line))
    for (event, place), rows in found.items():
        segments.regions.setdefault(event, {})[place] = _merge(rows, table.source, faults)
    return segments


def _sound_rows(table: Table, places: Mapping[str, int], faults: FaultLog) -> Iterator[_Row]:
    cells = zip(*(table.columns[name] for name in _COLUMNS), strict=True)
    for line, (path, onset, offset, event) in zip(table.lines, cells, strict=True):
        where = f"{table.source}:{line}"
        is_bare = not (onset or offset or event)
        place = _place(path, places, where, faults)
        region = (0.0, 0.0) if is_bare else _region(onset, offset, where, faults)
        if not (event or is_bare):
            faults.add(where, "a segment names its event; got an empty one")
        elif place is not None and region is not None:
            yield _Row(place, event, region, line)


def _place(path: str, places: Mapping[str, int], where: str, faults: FaultLog) -> int | None:
    try:
        return places[normalise(path)]
    except (ValueError, KeyError):
        faults.add(where, f"no clip of the manifest has the path {path!r}")
        return None


def _region(onset: str, offset: str, where: str, faults: FaultLog) -> Region | None:
    try:
        start, stop = float(onset), float(offset)
    except ValueError:
        faults.add(where, f"onset and offset are numbers of seconds; got {onset!r} and {offset!r}")
        return None
    if not (math.isfinite(start) and math.isfinite(stop)):
        faults.add(where, f"onset and offset are finite; got {onset} and {offset}")
    elif start < 0:
        faults.add(where, f"a segment starts at 0 or later; got {onset}")
    elif stop <= start:
        faults.add(where, f"a segment's offset lies after its onset; got {onset} to {offset}")
    else:
        return start, stop
    return None


def _merge(rows: list[_Row], source: str, faults: FaultLog) -> tuple[Region, ...]:
    """Regions in order; those that touch become one, those that overlap are logged."""
    rows.sort(key=lambda row: row.region)
    merged = [rows[0].region]
    for row in rows[1:]:
        onset, offset = merged[-1]
        if row.region[0] < offset:
            message = f"segments of one event don't overlap; {row.region[0]:g} lies before {offset:g}"
            faults.add(f"{source}:{row.line}", message)
        if row.region[0] <= offset:
            merged[-1] = (onset, max(offset, row.region[1]))
        else:
            merged.append(row.region)
    return tuple(merged)
