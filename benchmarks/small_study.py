"""A study of five tasks whose trainings are nearly nothing: what it costs is what every study costs."""

from pathlib import Path

import numpy as np
import soundfile

from taskgraft.search.study.spec import StudySpec

_RATE = 16_000
_CLIPS = 160
_SPLITS = ("train", "train", "train", "validation", "test")
_COLUMNS = {"pitch": ("low", "high"), "loud": ("no", "yes"), "shape": ("sine", "square"), "noisy": ("no", "yes")}


def write_small_corpus(folder: Path) -> Path:
    """Write tones of one second with four labels each, and the time at which each one sounds; return the manifest."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    clips, segments = [f"path,split,{','.join(_COLUMNS)}"], ["path,onset,offset,event"]
    for clip in range(_CLIPS):
        labels = [clip // len(_SPLITS) >> bit & 1 for bit in range(len(_COLUMNS))]
        onset = random.uniform(0.1, 0.4)
        soundfile.write(folder / f"{clip}.wav", _tone(labels, onset, onset + 0.5, random), _RATE)
        words = [words[label] for words, label in zip(_COLUMNS.values(), labels, strict=True)]
        clips.append(f"{clip}.wav,{_SPLITS[clip % len(_SPLITS)]},{','.join(words)}")
        segments.append(f"{clip}.wav,{onset:.3f},{onset + 0.5:.3f},tone")
    (folder / "manifest.csv").write_text("\n".join(clips) + "\n")
    (folder / "segments.csv").write_text("\n".join(segments) + "\n")
    return folder / "manifest.csv"


def _tone(labels: list[int], onset: float, offset: float, random: np.random.Generator) -> np.ndarray:
    pitch, loud, shape, noisy = labels
    times = np.arange(_RATE) / _RATE
    wave = np.sin(2 * np.pi * (1_500 if pitch else 300) * times)
    wave = (np.sign(wave) if shape else wave) * (0.6 if loud else 0.05) * ((times >= onset) & (times < offset))
    return wave + random.normal(0, 0.05 if noisy else 0.005, _RATE)


def small_study(manifest: Path) -> StudySpec:
    """Return the study: five baselines, one group of all tasks, which keeps the lenient threshold."""
    tasks = [{"name": name, "dataset": str(manifest), "target": name} for name in _COLUMNS]
    tasks.append({"name": "sounds", "dataset": str(manifest), "target": "tone", "kind": "frames"})
    training = {"epochs": 5, "batch_size": 32, "learning_rate": 0.01}
    more = {"template": "cnn8", "strategy": "groups", "depths": [4, 8], "decision": "point", "repeats": 1}
    return StudySpec.parse({"name": "small", "ar_threshold": 0.9, "tasks": tasks, "training": training, **more})
