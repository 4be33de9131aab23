"""What the labels of a column, or an event, show: how many clips have them, and why they can't be a target."""

from collections.abc import Container, Mapping, Sequence

from taskgraft.evaluators.datasets.splits import Split

MISSING = -1
FRAME_LABELS = ("absent", "present")
_MAX_NAMED = 10

ClassCounts = Mapping[Split, Mapping[str, int]]


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
    messages += [f"train never shows what {split} has: {named(labels)}" for split, labels in unseen.items() if labels]
    return messages


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


def named(labels: Sequence[str]) -> str:
    """Return the first few of ``labels``, and how many more there are."""
    shown = ", ".join(map(repr, labels[:_MAX_NAMED]))
    return shown if len(labels) <= _MAX_NAMED else f"{shown} and {len(labels) - _MAX_NAMED:,} more"
