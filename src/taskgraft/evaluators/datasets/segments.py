"""Segments: when which event sounds in a clip, in seconds; from ``segments.csv`` or from a published corpus."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.paths import Containment, normalise
from taskgraft.evaluators.datasets.table import Table, read_table

SEGMENTS_NAME = "segments.csv"
SEGMENT_COLUMNS = ("path", "onset", "offset", "event")

Region = tuple[float, float]
"""Onset and offset in seconds, half-open."""


@dataclass(slots=True)
class Segments:
    """What ``segments.csv`` or a corpus says of events.

    A clip that it does not mention is unlabelled for frames tasks. A row with nothing but a path says that nothing
    sounds there. In a clip that is mentioned, all that lies outside an event's regions is the event's absence.
    """

    regions: dict[str, dict[int, tuple[Region, ...]]] = field(default_factory=dict)
    """Event -> clip's place in the manifest -> regions in order, none of which touch."""
    annotated: set[int] = field(default_factory=set)
    """Places of the clips that are mentioned."""
    ends: dict[int, list[tuple[float, int]]] = field(default_factory=dict)
    """Clip's place -> every offset with its line in ``segments.csv``; a published corpus is not held to the rule."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A sound row: a segment, or a bare clip (no event, no time)."""

    place: int
    event: str
    region: Region
    line: int
    where: str


def read_segments(path: Path, places: Mapping[str, int], faults: FaultLog) -> Segments:
    """Read the file where it exists; ``places`` holds every known clip's path and its place in the manifest."""
    segments = Segments()
    if not path.exists():
        return segments
    if not Containment(path.parent).holds(path.name):
        faults.add(path.name, "segments lie in the dataset's folder; this is a link out of it")
        return segments
    try:
        table = read_table(path, SEGMENT_COLUMNS, faults)
    except InvalidInput as error:
        faults.extend(error.faults)
        return segments
    for row, offset in _collect(segments, table, places, faults):
        faults.add(row.where, f"segments of one event don't overlap; {row.region[0]:g} lies before {offset:g}")
    return segments


def published_segments(table: Table, places: Mapping[str, int], faults: FaultLog) -> Segments:
    """Return the segments of a published corpus.

    Its annotators mark each source of sound by itself and for a nominal length, so segments of one event may overlap,
    and may end after their clip.
    """
    segments = Segments()
    _collect(segments, table, places, faults)
    segments.ends.clear()
    return segments


def _collect(segments: Segments, table: Table, places: Mapping[str, int], faults: FaultLog) -> list[tuple[_Row, float]]:
    """Put a table's rows into ``segments``; return those that start before the offset of another of their event."""
    found: dict[tuple[str, int], list[_Row]] = {}
    for row in _sound_rows(table, places, faults):
        segments.annotated.add(row.place)
        if row.event:
            found.setdefault((row.event, row.place), []).append(row)
            segments.ends.setdefault(row.place, []).append((row.region[1], row.line))
    overlapping: list[tuple[_Row, float]] = []
    for (event, place), rows in found.items():
        segments.regions.setdefault(event, {})[place] = _merge(rows, overlapping)
    return overlapping


def _sound_rows(table: Table, places: Mapping[str, int], faults: FaultLog) -> Iterator[_Row]:
    cells = zip(*(table.columns[name] for name in SEGMENT_COLUMNS), strict=True)
    for number, (path, onset, offset, event) in enumerate(cells):
        where = table.at(number)
        is_bare = not (onset or offset or event)
        place = _place(path, places, where, faults)
        region = (0.0, 0.0) if is_bare else _region(onset, offset, where, faults)
        if not (event or is_bare):
            faults.add(where, "a segment names its event; got an empty one")
        elif place is not None and region is not None:
            yield _Row(place, event, region, table.lines[number], where)


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


def _merge(rows: list[_Row], overlapping: list[tuple[_Row, float]]) -> tuple[Region, ...]:
    """Return regions in order; those that touch or overlap become one, and rows that overlap are noted."""
    rows.sort(key=lambda row: row.region)
    merged = [rows[0].region]
    for row in rows[1:]:
        onset, offset = merged[-1]
        if row.region[0] < offset:
            overlapping.append((row, offset))
        if row.region[0] <= offset:
            merged[-1] = (onset, max(offset, row.region[1]))
        else:
            merged.append(row.region)
    return tuple(merged)
