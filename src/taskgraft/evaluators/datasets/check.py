"""The check of a dataset: every fault with its line, and what the dataset holds."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.audio import AudioFacts, probe
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.manifest import Scan, scan_manifest
from taskgraft.evaluators.datasets.progress import Progress
from taskgraft.evaluators.datasets.report import CheckReport, EventReport, LabelReport
from taskgraft.evaluators.datasets.segments import SEGMENTS_NAME, Segments
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import (
    FRAME_LABELS,
    ClassCounts,
    count_event_clips,
    count_labels,
    event_faults,
    label_faults,
)

END_TOLERANCE = 0.01
"""Seconds that a segment may reach past its clip's end: one hop, since annotations are rounded."""
IMBALANCE = 20
"""The largest class may have this many times the clips of the smallest before the report warns."""
MAX_CLASSES = 100
"""A column with more distinct values is taken for a measure (an age, an identifier), not for classes."""
MAX_LABEL = 256
"""A column with longer values is taken for text, not for classes."""
_FITTING = 0.95


@dataclass(slots=True)
class _Heard:
    """What the audio of the readable clips says."""

    lengths: list[float] = field(default_factory=list)
    rates: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Contents:
    """What the tables of a dataset say, without its audio."""

    splits: Mapping[Split, int]
    groups: int
    labels: Mapping[str, LabelReport]
    events: Mapping[str, EventReport]
    warnings: tuple[str, ...]


def check_manifest(manifest: Path, progress: Progress | None = None) -> CheckReport:
    """Check the tables and decode every clip, one after the other; never raises for what the dataset breaks.

    ``progress`` may raise to end the check early.
    """
    return _check(manifest, lambda scan, faults: _check_audio(scan, faults, progress))


def check_tables(manifest: Path) -> CheckReport:
    """Check the tables alone: no audio is opened, so lengths and rates stay unknown."""
    return _check(manifest, lambda scan, faults: _Heard())


def _check(manifest: Path, listen: Callable[[Scan, FaultLog], _Heard]) -> CheckReport:
    faults = FaultLog()
    try:
        scan = scan_manifest(manifest, faults)
    except InvalidInput as error:
        faults.include(error)
        return CheckReport(faults.faults, faults.count, (), 0, 0.0, 0.0, {}, {}, 0, {}, {})
    heard = listen(scan, faults)
    contents = read_contents(scan.labels, scan.splits, scan.groups, scan.segments)
    left_out = (f"column {name!r} holds lists or objects, so it is no label" for name in scan.table.left_out)
    return CheckReport(
        faults=faults.faults,
        fault_count=faults.count,
        warnings=(*left_out, *scan.table.notes, *contents.warnings),
        clips=len(scan.paths),
        seconds=round(sum(heard.lengths), 3),
        clip_seconds=round(float(np.quantile(heard.lengths or [0.0], _FITTING)), 3),
        sample_rates=dict(sorted(heard.rates.items())),
        splits=contents.splits,
        groups=contents.groups,
        labels=contents.labels,
        events=contents.events,
    )


def read_contents(
    labels: Mapping[str, Sequence[str]], splits: Sequence[Split | None], groups: Sequence[str], segments: Segments
) -> Contents:
    """Count the clips of every label and event, and say what can't be a target, or may mislead."""
    counted = {name: count_labels(cells, splits) for name, cells in labels.items()}
    found = Counter(split for split in splits if split is not None)
    events = {name: _event_report(name, segments, splits) for name in sorted(segments.regions)}
    warnings = [*_label_warnings(counted), *_event_warnings(events), *_divided_groups(groups, splits)]
    return Contents(
        splits={split: found[split] for split in Split},
        groups=len(set(groups) - {""}),
        labels={name: _label_report(counts) for name, counts in counted.items()},
        events=events,
        warnings=tuple(warnings),
    )


def _check_audio(scan: Scan, faults: FaultLog, progress: Progress | None) -> _Heard:
    """Decode every clip; lengths and rates are of those that can be read."""
    heard = _Heard()
    for clip, path in enumerate(scan.paths):
        try:
            facts = probe(scan.layout.root / path)
        except InvalidInput as error:
            faults.extend(Fault(scan.at(clip), f"{path}: {fault.message}") for fault in error.faults)
        else:
            heard.lengths.append(facts.seconds)
            heard.rates[facts.sample_rate] += 1
            _check_end(scan, clip, facts, faults)
        if progress is not None:
            progress(clip + 1, len(scan.paths))
    return heard


def _check_end(scan: Scan, clip: int, facts: AudioFacts, faults: FaultLog) -> None:
    for offset, line in scan.segments.ends.get(clip, ()):
        if offset > facts.seconds + END_TOLERANCE:
            faults.add(
                f"{SEGMENTS_NAME}:{line}", f"a segment ends within its clip, {facts.seconds:.3f} s long; got {offset:g}"
            )


def _distinct(counts: ClassCounts) -> set[str]:
    return {label for found in counts.values() for label in found}


def _are_classes(labels: set[str]) -> bool:
    return len(labels) <= MAX_CLASSES and all(len(label) <= MAX_LABEL for label in labels)


def _label_warnings(counted: Mapping[str, ClassCounts]) -> Iterator[str]:
    for name, counts in counted.items():
        if _are_classes(_distinct(counts)):
            yield from (f"label column {name!r} can't be a target: {reason}" for reason in label_faults(counts))
            yield from _imbalance(name, counts[Split.TRAIN])


def _event_warnings(events: Mapping[str, EventReport]) -> Iterator[str]:
    for event, report in events.items():
        yield from (f"event {event!r} can't be a target: {reason}" for reason in report.faults)


def _imbalance(name: str, train: Mapping[str, int]) -> Iterator[str]:
    if train and max(train.values()) > IMBALANCE * min(train.values()):
        most, least = max(train, key=train.__getitem__), min(train, key=train.__getitem__)
        yield (
            f"label column {name!r} is imbalanced: "
            f"train has {train[most]:,} clips of {most!r}, {train[least]:,} of {least!r}"
        )


def _divided_groups(groups: Sequence[str], splits: Sequence[Split | None]) -> Iterator[str]:
    held: dict[str, set[Split]] = {}
    for group, split in zip(groups, splits, strict=True):
        if group and split is not None:
            held.setdefault(group, set()).add(split)
    if divided := [group for group, found in held.items() if len(found) > 1]:
        yield f"{len(divided):,} groups lie in more than one split, {divided[0]!r} first: accuracies will flatter"


def _label_report(counts: ClassCounts) -> LabelReport:
    labels = _distinct(counts)
    return LabelReport(
        distinct=len(labels),
        counts=counts if _are_classes(labels) else {},
        labelled={split: sum(counts[split].values()) for split in Split},
        classes=len(counts[Split.TRAIN]),
        faults=tuple(label_faults(counts)),
    )


def _event_report(event: str, segments: Segments, splits: Sequence[Split | None]) -> EventReport:
    regions = segments.regions[event]
    counts = count_event_clips(regions, segments.annotated, splits)
    return EventReport(
        seconds=round(sum(offset - onset for found in regions.values() for onset, offset in found), 3),
        clips={split: counts[split].get(FRAME_LABELS[1], 0) for split in Split},
        annotated={split: sum(counts[split].values()) for split in Split},
        faults=tuple(event_faults(counts)),
    )
