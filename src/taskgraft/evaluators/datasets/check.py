"""The check of a data set: every fault with its line, and what the data set holds."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.audio import AudioFacts, probe
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.manifest import Scan, scan_manifest
from taskgraft.evaluators.datasets.segments import SEGMENTS_NAME
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import (
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

Progress = Callable[[int, int], None]
"""Told how many clips are done, of how many."""


@dataclass(frozen=True, slots=True)
class LabelReport:
    """A label column: its distinct values, and the clips per split and label (left out beyond `MAX_CLASSES`)."""

    distinct: int
    counts: ClassCounts


@dataclass(frozen=True, slots=True)
class EventReport:
    """An event: how long it sounds altogether, in seconds, and in how many clips of each split."""

    seconds: float
    clips: Mapping[Split, int]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found; the data set is sound where there are no faults."""

    faults: tuple[Fault, ...]
    fault_count: int
    warnings: tuple[str, ...]
    clips: int
    seconds: float
    sample_rates: Mapping[int, int]
    """Hertz -> clips."""
    splits: Mapping[Split, int]
    labels: Mapping[str, LabelReport]
    events: Mapping[str, EventReport]

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return not self.fault_count

    def to_json(self) -> dict[str, Any]:
        """The report as plain dictionaries, lists and numbers."""
        report = asdict(self)
        report["sample_rates"] = {str(rate): clips for rate, clips in self.sample_rates.items()}
        return {"ok": self.ok, **report}


def check_manifest(manifest: Path, progress: Progress | None = None) -> CheckReport:
    """Check the tables and decode every clip, one after the other; never raises for what the data set breaks."""
    faults = FaultLog()
    try:
        scan = scan_manifest(manifest, faults)
    except InvalidInput as error:
        faults.extend(error.faults)
        return CheckReport(faults.listed(), faults.count, (), 0, 0.0, {}, {}, {}, {})
    seconds, rates = _check_audio(scan, manifest.parent, faults, progress)
    splits = Counter(split for split in scan.splits if split is not None)
    labels = {name: count_labels(cells, scan.splits) for name, cells in scan.labels.items()}
    _check_targets(scan, splits, labels, faults)
    return CheckReport(
        faults=faults.listed(),
        fault_count=faults.count,
        warnings=tuple(_warnings(scan, labels)),
        clips=len(scan.paths),
        seconds=round(seconds, 3),
        sample_rates=dict(sorted(rates.items())),
        splits={split: splits[split] for split in Split},
        labels={name: _label_report(counts) for name, counts in labels.items()},
        events=_event_reports(scan),
    )


def _check_audio(scan: Scan, root: Path, faults: FaultLog, progress: Progress | None) -> tuple[float, Counter[int]]:
    """Seconds altogether and clips per rate, of the clips that can be read."""
    total, rates = 0.0, Counter[int]()
    for clip, path in enumerate(scan.paths):
        try:
            facts = probe(root / path)
        except InvalidInput as error:
            faults.extend(Fault(scan.at(clip), f"{path}: {fault.message}") for fault in error.faults)
        else:
            total += facts.seconds
            rates[facts.sample_rate] += 1
            _check_end(scan, clip, facts, faults)
        if progress is not None:
            progress(clip + 1, len(scan.paths))
    return total, rates


def _check_end(scan: Scan, clip: int, facts: AudioFacts, faults: FaultLog) -> None:
    for offset, line in scan.segments.ends.get(clip, ()):
        if offset > facts.seconds + END_TOLERANCE:
            faults.add(
                f"{SEGMENTS_NAME}:{line}", f"a segment ends within its clip, {facts.seconds:.3f} s long; got {offset:g}"
            )


def _check_targets(scan: Scan, splits: Counter[Split], labels: Mapping[str, ClassCounts], faults: FaultLog) -> None:
    for split in Split:
        if scan.paths and not splits[split]:
            faults.add(scan.table.header, f"every split has clips; {split} has none")
    for name, counts in labels.items():
        values = _distinct(counts)
        if len(values) == 1:
            faults.add(scan.table.header, f"label column {name!r} has one class only, {next(iter(values))!r}")


def _distinct(counts: ClassCounts) -> set[str]:
    return {label for found in counts.values() for label in found}


def _warnings(scan: Scan, labels: Mapping[str, ClassCounts]) -> Iterator[str]:
    for name, counts in labels.items():
        if len(_distinct(counts)) != 1 and len(_distinct(counts)) <= MAX_CLASSES:
            yield from (f"label column {name!r} can't be a target: {reason}" for reason in label_faults(counts))
            yield from _imbalance(name, counts[Split.TRAIN])
    for event, sounding in scan.segments.regions.items():
        reasons = event_faults(count_event_clips(sounding, scan.segments.annotated, scan.splits))
        yield from (f"event {event!r} can't be a target: {reason}" for reason in reasons)
    yield from _divided_groups(scan)


def _imbalance(name: str, train: Mapping[str, int]) -> Iterator[str]:
    if train and max(train.values()) > IMBALANCE * min(train.values()):
        most, least = max(train, key=train.__getitem__), min(train, key=train.__getitem__)
        yield (
            f"label column {name!r} is imbalanced: "
            f"train has {train[most]:,} clips of {most!r}, {train[least]:,} of {least!r}"
        )


def _divided_groups(scan: Scan) -> Iterator[str]:
    held: dict[str, set[Split]] = {}
    for group, split in zip(scan.groups, scan.splits, strict=True):
        if group and split is not None:
            held.setdefault(group, set()).add(split)
    if divided := [group for group, splits in held.items() if len(splits) > 1]:
        yield f"{len(divided):,} groups lie in more than one split, {divided[0]!r} first: accuracies will flatter"


def _label_report(counts: ClassCounts) -> LabelReport:
    distinct = len(_distinct(counts))
    return LabelReport(distinct, counts if distinct <= MAX_CLASSES else {})


def _event_reports(scan: Scan) -> dict[str, EventReport]:
    reports = {}
    for event, regions in sorted(scan.segments.regions.items()):
        seconds = sum(offset - onset for found in regions.values() for onset, offset in found)
        clips = Counter(scan.splits[clip] for clip in regions)
        reports[event] = EventReport(round(seconds, 3), {split: clips[split] for split in Split})
    return reports
