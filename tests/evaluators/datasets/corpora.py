"""Small data sets on disk, for the tests of this folder."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taskgraft.errors import Fault, InvalidInput

needs_synthesizer = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng_loader is not installed: taskgraft[demo]"
)


def write_lines(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_tone(path: Path, seconds: float = 0.1, rate: int = 8_000, channels: int = 1, hertz: float = 440.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, np.tile(tone[:, None], (1, channels)), rate, subtype="PCM_16")
    return path


def sound_corpus(root: Path, segments: Sequence[str] = ()) -> Path:
    """Six clips of 0.1 s, two labels in every split; the audio is there."""
    rows = [
        f"{split}-{label}.wav,{split},{label}" for split in ("train", "validation", "test") for label in ("cat", "dog")
    ]
    for row in rows:
        write_tone(root / row.split(",")[0])
    if segments:
        write_lines(root / "segments.csv", "path,onset,offset,event", *segments)
    return write_lines(root / "manifest.csv", "path,split,animal", *rows)


def faults_of(action: Callable[[], object]) -> list[Fault]:
    """The faults that an action ends with; none where it ends well."""
    try:
        action()
    except InvalidInput as error:
        return list(error.faults)
    return []


def found(faults: Sequence[Fault], where: str, words: str) -> bool:
    return any(fault.where == where and words in fault.message for fault in faults)
