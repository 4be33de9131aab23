"""What the demo corpus holds, known from its cast before a word of it is spoken."""

from dataclasses import replace
from functools import cache

from taskgraft.evaluators.datasets.cast import Take, cast_clips
from taskgraft.evaluators.datasets.check import read_contents
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.segments import Segments
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.staging import CLIP_SAMPLES, SAMPLE_RATE

SPEECH = "speech"
GROUP = "group"
LABELS = ("gender", "age_group", "dialect", "word", "intent")
"""Label columns, in the order of the manifest."""


def labels_of(take: Take) -> tuple[str, ...]:
    """Return the values of `LABELS` for one clip."""
    who = take.speaker
    return (who.gender, who.age_group, who.dialect, take.word, take.intent)


@cache
def demo_report(clips: int, seed: int, shares: tuple[tuple[Split, float], ...]) -> CheckReport:
    """Return what a check of the corpus would find; only how long the event sounds is not known yet.

    ``shares`` are the parts of the clips that the splits get.

    Raises:
        InvalidInput: too few clips.
    """
    takes = cast_clips(clips, seed, dict(shares))
    columns = zip(*map(labels_of, takes), strict=True)
    # Somebody speaks in every clip. When exactly is decided when it is made, and does not change the counts.
    everywhere: Segments = Segments({SPEECH: dict.fromkeys(range(clips), ())}, set(range(clips)))
    contents = read_contents(
        dict(zip(LABELS, columns, strict=True)),
        [take.split for take in takes],
        [take.speaker.name for take in takes],
        everywhere,
    )
    length = CLIP_SAMPLES / SAMPLE_RATE
    return CheckReport(
        faults=(),
        fault_count=0,
        warnings=contents.warnings,
        clips=clips,
        seconds=clips * length,
        clip_seconds=length,
        sample_rates={SAMPLE_RATE: clips},
        splits=contents.splits,
        groups=contents.groups,
        labels=contents.labels,
        events={name: replace(event, seconds=None) for name, event in contents.events.items()},
    )
