"""Targets: what a task's labels are, clip by clip."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.segments import Region
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.space.tasks import TaskKind

MISSING = -1
FRAME_LABELS = ("absent", "present")
_MAX_NAMED = 10

ClassCounts = Mapping[Split, Mapping[str, int]]


@dataclass(frozen=True, slots=True, eq=False)
class ClipTargets:
    """One label for each clip."""

    label_set: tuple[str, ...]
    """Sorted; all of them occur in train."""
    values: NDArray[np.int64]
    """Place in ``label_set``, or `MISSING`; shape [clips]."""
    class_counts: ClassCounts
    """Clips per split and label."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which clips have a label, shape [clips]."""
        return np.not_equal(self.values, MISSING)


@dataclass(frozen=True, slots=True, eq=False)
class FrameTargets:
    """One event's presence over time."""

    regions: tuple[tuple[Region, ...], ...]
    """For each clip where the event sounds, in seconds; empty for a clip that is not ``labelled``."""
    labelled: NDArray[np.bool_]
    """Which clips are annotated, shape [clips]; in these the event is absent outside its regions."""
    class_counts: ClassCounts
    """Annotated clips per split in which the event sounds (``present``) or never does (``absent``)."""
    label_set: tuple[str, ...] = FRAME_LABELS


Targets = ClipTargets | FrameTargets


def task_targets(corpus: Corpus, target: str, kind: TaskKind) -> Targets:
    """Return the labels of one task: a column of the manifest (``clip``) or an event of the segments (``frames``).

    Raises:
        InvalidInput: at ``target``: no such column or event; or labels that nothing can be learned from or measured on
            (a split without any, a single class, a label that train never shows).
    """
    check_target(corpus.name, target, kind, corpus.labels, corpus.segments)
    if kind is TaskKind.FRAMES:
        return _frame_targets(corpus, target)
    cells = corpus.labels[target]
    counts = count_labels(cells, corpus.splits)
    if messages := label_faults(counts):
        raise InvalidInput(Fault("target", f"{target} of {corpus.name}: {message}") for message in messages)
    label_set = tuple(sorted(counts[Split.TRAIN]))
    places = {label: place for place, label in enumerate(label_set)} | {"": MISSING}
    values = np.fromiter((places[cell] for cell in cells), np.int64, len(cells))
    return ClipTargets(label_set, values, counts)


def count_labels(cells: Sequence[str], splits: Sequence[Split | None]) -> dict[Split, dict[str, int]]:
    """Count clips per split and label, labels sorted; missing labels and clips without a split are left out."""
    counts: dict[Split, dict[str, int]] = {split: {} for split in Split}
    for cell, split in zip(cells, splits, strict=True):
        if cell and split is not None:
            counts[split][cell] = counts[split].get(cell, 0) + 1
    return {split: dict(sorted(found.items())) for split, found in counts.items()}


def label_faults(counts: ClassCounts) -> list[str]:
    """Return why labels with these counts can't be a clip task's, one message for each reason; empty if they can."""
    messages = [f"no clip of the split {split} has a label" for split in Split if not counts[split]]
    train = counts[Split.TRAIN]
    if len(train) == 1:
        messages.append(f"train shows one class only, {next(iter(train))!r}; a task tells at least 2 apart")
    unseen = {split: [label for label in counts[split] if label not in train] for split in Split}
    messages += [f"train never shows what {split} has: {_named(labels)}" for split, labels in unseen.items() if labels]
    return messages


def _frame_targets(corpus: Corpus, event: str) -> FrameTargets:
    found = corpus.segments[event]
    labelled = np.zeros(len(corpus), np.bool_)
    labelled[list(corpus.annotated)] = True
    counts = count_event_clips(found, corpus.annotated, corpus.splits)
    if messages := event_faults(counts):
        raise InvalidInput(Fault("target", f"{event} of {corpus.name}: {message}") for message in messages)
    return FrameTargets(tuple(found.get(clip, ()) for clip in range(len(corpus))), labelled, counts)


def count_event_clips(
    sounding: Container[int], annotated: Container[int], splits: Sequence[Split | None]
) -> dict[Split, dict[str, int]]:
    """Count annotated clips per split in which an event sounds (``present``) or never does (``absent``)."""
    words = [FRAME_LABELS[clip in sounding] if clip in annotated else "" for clip in range(len(splits))]
    return count_labels(words, splits)


def event_faults(counts: ClassCounts) -> list[str]:
    """Return why an event with these counts can't be a frames task's, one message for each reason; empty if it can."""
    silent = [split for split in Split if FRAME_LABELS[1] not in counts[split]]
    return [
        f"the event sounds in no clip of the split {split}"
        if counts[split]
        else f"no clip of the split {split} is annotated"
        for split in silent
    ]


def _named(labels: Sequence[str]) -> str:
    shown = ", ".join(map(repr, labels[:_MAX_NAMED]))
    return shown if len(labels) <= _MAX_NAMED else f"{shown} and {len(labels) - _MAX_NAMED:,} more"


def check_target(dataset: str, target: str, kind: TaskKind, columns: Iterable[str], events: Iterable[str]) -> None:
    """Check that a dataset has a task's target: a column (``clip``) or an event (``frames``).

    Raises:
        InvalidInput: at ``target``: nothing has that name, or only a target of the other kind has it.
    """
    clip, frames = set(columns), set(events)
    if target in (frames if kind is TaskKind.FRAMES else clip):
        return
    if kind is TaskKind.FRAMES:
        known, message = frames, f"{dataset} has no event {target!r} in its segments"
        other = f"{target!r} is a label column: write kind: clip, or leave kind out" if target in clip else ""
    else:
        known, message = clip, f"{dataset} has no label column {target!r}"
        other = f"{target!r} is an event of its segments: write kind: frames" if target in frames else ""
    raise InvalidInput.at("target", f"{message}; " + (other or f"there are {_named(sorted(known)) or 'none'}"))
