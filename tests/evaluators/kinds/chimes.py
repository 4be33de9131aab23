"""A corpus of two events, low and high tones at known times, with labels of every kind of task."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import Corpus, read_corpus
from taskgraft.evaluators.kinds.registry import task_targets
from taskgraft.evaluators.labelled import LabelledTask
from taskgraft.evaluators.metrics import metrics_of
from taskgraft.evaluators.study_data import StudyData, load_study_data
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import get_template
from tests.evaluators.tones import PITCHES, RATE, SPLITS, tone

SECONDS = 1.0
EVENTS = ("low", "high")
TASKS: dict[TaskKind, tuple[str, str | tuple[str, ...]]] = {
    TaskKind.CLIP: ("first", "first"),
    TaskKind.FRAMES: ("low", "low"),
    TaskKind.EVENTS: ("events", EVENTS),
    TaskKind.TAGS: ("tags", EVENTS),
    TaskKind.VALUE: ("loudness", "loudness"),
}
"""Of each kind, a task's name and target."""


def write_chimes(root: Path, clips: int = 48, *, weak: Sequence[int] = (), unlabelled: Sequence[int] = ()) -> Path:
    """Write clips of one second in which each event sounds or not.

    Clips that are ``weak`` are not in the segments, and ``unlabelled`` ones have no label but their loudness either.
    """
    random = np.random.default_rng(3)
    root.mkdir(parents=True)
    manifest, segments = ["path,split,first,low,high,loudness"], ["path,onset,offset,event"]
    for clip in range(clips):
        sounding = [event for place, event in enumerate(EVENTS) if (clip // 6 >> place) & 1]
        sound, gain = random.normal(0, 0.003, round(SECONDS * RATE)), random.uniform(0.2, 1.0)
        found = []
        for place, event in enumerate(sounding):
            onset = round(0.1 + 0.45 * place + random.uniform(0, 0.1), 3)
            length = round(random.uniform(0.2, 0.3), 3)
            wave = gain * tone(event, "sine", length)
            sound[round(onset * RATE) :][: len(wave)] += wave
            found.append(f"{clip}.wav,{onset},{onset + length:.3f},{event}")
        soundfile.write(root / f"{clip}.wav", sound, RATE)
        words = ["yes" if event in sounding else "no" for event in EVENTS]
        labels = [sounding[0] if sounding else "none", *words]
        if clip in unlabelled:
            labels = ["", "", ""]
        elif clip not in weak:
            segments += found or [f"{clip}.wav,,,"]
        manifest.append(f"{clip}.wav,{SPLITS[clip % 6]},{','.join(labels)},{10 * gain:.4f}")
    (root / "segments.csv").write_text("\n".join(segments) + "\n")
    (root / "manifest.csv").write_text("\n".join(manifest) + "\n")
    assert set(EVENTS) == set(PITCHES)
    return root / "manifest.csv"


def labelled(corpus: Corpus, kind: TaskKind, metric: str | None = None) -> LabelledTask:
    """Return the task of a kind."""
    name, target = TASKS[kind]
    targets = task_targets(corpus, target, kind)
    return LabelledTask(Task(name, kind, len(targets.label_set)), "chimes", metric or metrics_of(kind)[0], targets)


def load_chimes(
    manifest: Path,
    kinds: Sequence[TaskKind],
    cache: Path,
    template: Template | None = None,
    metric: str | None = None,
    clip_seconds: float = SECONDS,
) -> StudyData:
    """Return the data of a study with a task of each of the ``kinds``."""
    corpus = read_corpus(manifest, "chimes")
    tasks = [labelled(corpus, kind, metric) for kind in kinds]
    found = {"chimes": fingerprint(corpus)}
    return load_study_data({"chimes": corpus}, found, tasks, template or get_template("cnn8"), cache, clip_seconds)
