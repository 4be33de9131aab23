"""The corpus ``demo-speech``: spoken commands by invented people in noise, made on the spot without a network.

Labels: ``gender``, ``age_group``, ``dialect``, ``word``; frames: ``speech``, exact to the sample since the clips are
put together here. ``group`` names the speaker. It shows the method at work; it is no substitute for recordings.
"""

import csv
import shutil
import wave
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np

from taskgraft.errors import Conflict, Unavailable
from taskgraft.evaluators.datasets.cast import Take, cast_clips
from taskgraft.evaluators.datasets.demo_table import GROUP, LABELS, SPEECH, labels_of
from taskgraft.evaluators.datasets.segments import SEGMENTS_NAME
from taskgraft.evaluators.datasets.staging import SAMPLE_RATE, Clip, stage
from taskgraft.evaluators.datasets.synthesizer import Synthesizer, Utterance

MANIFEST_NAME = "manifest.csv"
RECIPE = 1
"""Changes whenever the same clips and seed would give other bytes."""

Progress = Callable[[int, int], None]
"""Told how many clips are made, of how many."""


def build_demo_speech(root: Path, clips: int = 3000, seed: int = 0, progress: Progress | None = None) -> Path:
    """Make the corpus in the new folder ``root`` and return its manifest.

    The same clips and seed give the same bytes. The folder appears complete or not at all.

    Raises:
        InvalidInput: too few clips.
        Conflict: ``root`` is already there.
        Unavailable: espeak-ng is not installed or fails, or the disk does.
    """
    takes = cast_clips(clips, seed)
    if root.exists():
        raise Conflict(f"{root} is already there")
    partial = root.with_name(f".{root.name}-{uuid4().hex}")
    try:
        partial.mkdir(parents=True)
        _make(partial, takes, seed, progress)
        _move(partial, root)
    except OSError as error:
        raise Unavailable(f"the demo corpus can't be written to {root}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return root / MANIFEST_NAME


def _make(folder: Path, takes: Sequence[Take], seed: int, progress: Progress | None) -> None:
    (folder / "clips").mkdir()
    rows, segments = [], []
    with Synthesizer() as synthesizer:
        for place, take in enumerate(takes):
            path = f"clips/{place:05}.wav"
            clip = _record(synthesizer, take, np.random.default_rng([seed, 1, place]))
            _write_wave(folder / path, clip)
            rows.append((path, take.split, *labels_of(take), take.speaker.name))
            segments.append((path, *(f"{time:.7f}" for time in clip.speech), SPEECH))
            if progress is not None:
                progress(place + 1, len(takes))
    header = ("path", "split", *LABELS, GROUP)
    _write_table(folder / MANIFEST_NAME, [header, *rows])
    _write_table(folder / SEGMENTS_NAME, [("path", "onset", "offset", "event"), *segments])


def _record(synthesizer: Synthesizer, take: Take, random: np.random.Generator) -> Clip:
    who = take.speaker
    rate = who.rate + int(random.integers(-8, 8, endpoint=True))
    pitch = who.pitch + int(random.integers(-3, 3, endpoint=True))
    voice = synthesizer.say(Utterance(take.word, who.voice, rate, pitch, who.range))
    return stage(voice.astype(np.float64), synthesizer.sample_rate, who, random)


def _write_wave(path: Path, clip: Clip) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(clip.samples.astype("<i2").tobytes())


def _write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _move(partial: Path, root: Path) -> None:
    try:
        partial.rename(root)
    except OSError as error:
        if root.exists():
            raise Conflict(f"{root} was made by somebody else meanwhile") from error
        raise
