"""A corpus and a study that train in a few seconds: three tasks about short tones in noise."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from taskgraft.search.study.spec import StudySpec

RATE = 8_000
PITCHES = {"low": 300.0, "high": 1500.0}
SPLITS = ("train", "train", "train", "validation", "test")
SHORT = {"epochs": 12, "batch_size": 12, "learning_rate": 0.005}
"""A training after which every task over the beeps is better than chance, in half the time of that of `beeps_spec`."""


def write_beeps(root: Path, clips: int = 60, seed: int = 0) -> Path:
    """Clips of 0.3 s with the labels ``pitch``, ``loud`` and ``shape``; every split has every label."""
    random = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    rows = ["path,split,pitch,loud,shape"]
    for clip in range(clips):
        pitch, loud, shape = (clip // 5 >> bit & 1 for bit in range(3))
        wave = np.sin(2 * np.pi * list(PITCHES.values())[pitch] * np.arange(round(0.3 * RATE)) / RATE)
        wave = (np.sign(wave) if shape else wave) * (0.6 if loud else 0.05)
        soundfile.write(root / f"{clip}.wav", wave + random.normal(0, 0.01, len(wave)), RATE)
        labels = f"{list(PITCHES)[pitch]},{'yes' if loud else 'no'},{'square' if shape else 'sine'}"
        rows.append(f"{clip}.wav,{SPLITS[clip % 5]},{labels}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    return root / "manifest.csv"


def beeps_spec(**more: Any) -> StudySpec:
    """Three tasks over ``beeps/manifest.csv``, two depths: 3 baselines better than chance, 3 to 6 pairs, the tree."""
    tasks = [{"name": name, "dataset": "beeps/manifest.csv", "target": name} for name in ("pitch", "loud", "shape")]
    training = {"epochs": 25, "batch_size": 12, "learning_rate": 0.005}
    return StudySpec.parse(
        {"name": "beeps", "ar_threshold": 0.3, "tasks": tasks, "depths": [4, 8], "training": training, **more}
    )
