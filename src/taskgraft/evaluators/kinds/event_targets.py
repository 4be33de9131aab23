"""The labels of events as a dataset says them: segments, and columns about whole clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.binary import RULE, other_words, to_answers
from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.segments import Region
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING, ClassCounts
from taskgraft.evaluators.kinds.names import all_targets, refuse_faults, require_event
from taskgraft.evaluators.kinds.protocol import Outline, Target


@dataclass(frozen=True, slots=True, eq=False)
class EventTargets:
    """When events sound, and of clips where nobody says when, whether they do."""

    label_set: tuple[str, ...]
    regions: tuple[tuple[tuple[Region, ...], ...], ...]
    """For each event and each clip, when it sounds, in seconds."""
    strong: NDArray[np.bool_]
    """Which clips have their events marked, shape [clips]; outside its regions an event is absent there."""
    weak: NDArray[np.int8]
    """Of other clips, 1 if an event sounds, 0 if not, `MISSING` if nobody says; shape [clips, k]."""
    class_counts: ClassCounts
    """Clips of each split with strong labels, and with nothing but weak ones."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which clips have strong labels, shape [clips]: only these can be measured on."""
        return self.strong

    @property
    def learnable(self) -> NDArray[np.bool_]:
        """Which clips have strong or weak labels, shape [clips]."""
        learnable: NDArray[np.bool_] = self.strong | (self.weak != MISSING).any(axis=1)
        return learnable


def weak_column(event: str, columns: Mapping[str, object]) -> str | None:
    """Return the column that says whether an event sounds in a clip: ``EVENT``, or ``has_EVENT``; None without one."""
    return next((name for name in (event, f"has_{event}") if name in columns), None)


def read_events(corpus: Corpus, target: Target) -> EventTargets:
    """Return the labels of events.

    Raises:
        InvalidInput: at ``target``: no such event, a column that says neither yes nor no, or a split without strong
            labels in which an event sounds (of train, strong or weak ones).
    """
    events = all_targets(target)
    for event in events:
        require_event(corpus.name, event, corpus.segments, corpus.labels)
    clips = len(corpus)
    strong = np.zeros(clips, np.bool_)
    strong[list(corpus.annotated)] = True
    weak = np.full((clips, len(events)), MISSING, np.int8)
    faults: dict[str, list[str]] = {event: [] for event in events}
    for place, event in enumerate(events):
        column = weak_column(event, corpus.labels)
        if column is not None:
            faults[event] += _word_faults(event, column, corpus.labels[column])
            if not faults[event]:
                weak[:, place] = np.where(strong, np.int8(MISSING), to_answers(corpus.labels[column]))
    splits = np.array(corpus.splits, np.str_)
    for place, event in enumerate(events):
        heard = np.zeros(clips, np.bool_)
        heard[list(corpus.segments[event])] = True
        found = {split: int(heard[splits == split.value].sum()) for split in Split}
        found[Split.TRAIN] += int((weak[splits == Split.TRAIN.value, place] == 1).sum())
        faults[event] += _silent(found)
    refuse_faults(corpus.name, faults)
    regions = tuple(tuple(corpus.segments[event].get(clip, ()) for clip in range(clips)) for event in events)
    counts = _counts(strong, weak, splits)
    return EventTargets(events, regions, strong, weak, counts)


def outline_events(dataset: str, target: Target, report: CheckReport) -> Outline:
    """Return the events and their clips with strong labels, as a report shows them.

    Raises:
        InvalidInput: as `read_events`.
    """
    events = all_targets(target)
    for event in events:
        require_event(dataset, event, report.events, report.labels)
    faults: dict[str, list[str]] = {}
    for event in events:
        column, counted = weak_column(event, report.labels), report.events[event]
        words: Mapping[Split, Mapping[str, int]] = report.labels[column].counts if column is not None else {}
        faults[event] = [] if column is None else _word_faults(event, column, _all_words(words))
        found = dict(counted.clips)
        if not faults[event]:
            found[Split.TRAIN] += sum(
                count for word, count in words.get(Split.TRAIN, {}).items() if to_answers([word])[0] == 1
            )
        faults[event] += _silent(found)
    refuse_faults(dataset, faults)
    annotated = {split: max(report.events[event].annotated[split] for event in events) for split in Split}
    return Outline(len(events), annotated)


def _all_words(counts: Mapping[Split, Mapping[str, int]]) -> Sequence[str]:
    return [word for found in counts.values() for word in found]


def _word_faults(event: str, column: str, cells: Sequence[str]) -> list[str]:
    others = other_words(cells)
    if others is None:
        return []
    return [f"the column {column!r} has the name of the event, so it says {RULE} whether it sounds; it has {others}"]


def _silent(found: Mapping[Split, int]) -> list[str]:
    """Return the splits in which nothing can be learned from an event, or measured on it."""
    return [
        f"the event sounds in no clip of the split {split}"
        + (", by segments or columns" if split is Split.TRAIN else " that segments.csv speaks of")
        for split in Split
        if not found[split]
    ]


def _counts(strong: NDArray[np.bool_], weak: NDArray[np.int8], splits: NDArray[np.str_]) -> ClassCounts:
    only_weak = (weak != MISSING).any(axis=1) & ~strong
    return {
        split: {
            name: int(found[splits == split.value].sum())
            for name, found in (("strong", strong), ("weak", only_weak))
            if found[splits == split.value].any()
        }
        for split in Split
    }
