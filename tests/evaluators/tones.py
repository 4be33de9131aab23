"""Corpora of tones in noise, small enough to learn in a second, and the studies over them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import Corpus, read_corpus
from taskgraft.evaluators.kinds.registry import task_targets
from taskgraft.evaluators.labelled import LabelledTask
from taskgraft.evaluators.study_data import StudyData, load_study_data
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import get_template

RATE = 16_000
TEMPLATE = get_template("cnn8")
PITCHES = {"low": 400.0, "high": 2000.0}
SHAPES = ("sine", "square")
SPLITS = ("train", "train", "train", "train", "validation", "test")


def tone(pitch: str, shape: str, seconds: float, rate: int = RATE) -> NDArray[np.float64]:
    """A tone; the square one has overtones."""
    wave = np.sin(2 * np.pi * PITCHES[pitch] * np.arange(round(seconds * rate)) / rate)
    return 0.5 * (np.sign(wave) if shape == "square" else wave)


def write_tones(root: Path, clips: int = 48, *, seed: int = 0, rate: int = RATE, unlabelled: str = "") -> Path:
    """A corpus whose clips hold one tone each, between stretches of faint noise.

    Columns ``pitch`` and ``shape``, event ``tone``. The second half of each split lacks the label ``unlabelled``.
    """
    random = np.random.default_rng(seed)
    root.mkdir(parents=True)
    manifest, segments = ["path,split,pitch,shape"], ["path,onset,offset,event"]
    for clip in range(clips):
        labels = {"pitch": tuple(PITCHES)[clip // 6 % 2], "shape": SHAPES[clip // 12 % 2]}
        lead, length, rest = random.uniform(0.05, 0.2), random.uniform(0.2, 0.4), random.uniform(0.05, 0.2)
        parts = [np.zeros(round(lead * rate)), tone(**labels, seconds=length, rate=rate), np.zeros(round(rest * rate))]
        sound = np.concatenate(parts)
        soundfile.write(root / f"{clip}.wav", sound + random.normal(0, 0.003, len(sound)), rate)
        if unlabelled and clip // 24 % 2:
            labels[unlabelled] = ""
        manifest.append(f"{clip}.wav,{SPLITS[clip % 6]},{labels['pitch']},{labels['shape']}")
        segments.append(f"{clip}.wav,{lead:.4f},{lead + length:.4f},tone")
    (root / "segments.csv").write_text("\n".join(segments) + "\n")
    (root / "manifest.csv").write_text("\n".join(manifest) + "\n")
    return root / "manifest.csv"


def label_values(data: StudyData, task: str) -> NDArray[Any]:
    """The labels of a task with one array of them: of every clip, or of every row of the pack."""
    (values,) = data.tasks[task].targets.parts()
    return values


def labelled_task(name: str, corpus: Corpus, dataset: str, target: str, kind: TaskKind = TaskKind.CLIP) -> LabelledTask:
    """A task over one of the corpora, as a study prepares it."""
    targets = task_targets(corpus, target, kind)
    return LabelledTask(Task(name, kind, len(targets.label_set)), dataset, "accuracy", targets)


def load_tones(
    manifests: Mapping[str, Path],
    tasks: Sequence[tuple[str, str, str]],
    cache: Path,
    clip_seconds: float | None = None,
    template: Template = TEMPLATE,
) -> StudyData:
    """The data of a study whose ``tasks`` are (name, dataset, target); the target ``tone`` is an event."""
    corpora = {name: read_corpus(manifest) for name, manifest in manifests.items()}
    labelled = [
        labelled_task(name, corpora[dataset], dataset, target, TaskKind.FRAMES if target == "tone" else TaskKind.CLIP)
        for name, dataset, target in tasks
    ]
    fingerprints = {name: fingerprint(corpus) for name, corpus in corpora.items()}
    return load_study_data(corpora, fingerprints, labelled, template, cache, clip_seconds)
