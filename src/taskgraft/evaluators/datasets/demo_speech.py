"""The corpus ``demo-speech``: spoken commands by invented people in noise, made on the spot without a network.

Labels: ``gender``, ``age_group``, ``dialect``, ``word``, ``intent`` (what the word is about); frames: ``speech``, exact
to the sample since the clips are put together here. ``group`` names the speaker. It shows the method at work; it is
not a substitute for recordings.
"""

import csv
import wave
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from taskgraft.errors import Conflict, Unavailable
from taskgraft.evaluators.datasets.cast import SHARES, Shares, Take, cast_clips
from taskgraft.evaluators.datasets.demo_table import GROUP, LABELS, SPEECH, labels_of
from taskgraft.evaluators.datasets.noise import Signal
from taskgraft.evaluators.datasets.progress import Progress
from taskgraft.evaluators.datasets.segments import SEGMENTS_NAME
from taskgraft.evaluators.datasets.staging import SAMPLE_RATE, Clip, stage
from taskgraft.evaluators.datasets.synthesizer import Synthesizer, Utterance
from taskgraft.evaluators.unfinished import unfinished

MANIFEST_NAME = "manifest.csv"
RECIPE = 3
"""Changes whenever the same clips and seed would give other bytes."""

_AHEAD = 16
"""Clips that are staged while the next one is spoken."""


def build_demo_speech(
    root: Path, clips: int, seed: int = 0, progress: Progress | None = None, *, shares: Shares = SHARES
) -> Path:
    """Make the corpus in the new folder ``root`` and return its manifest.

    The same clips and seed give the same bytes. The folder appears complete or not at all.

    Raises:
        InvalidInput: too few clips.
        Conflict: ``root`` is already there.
        Unavailable: espeak-ng is not installed or fails, or the disk does.
    """
    takes = cast_clips(clips, seed, shares)
    if root.exists():
        raise Conflict(f"{root} is already there")
    try:
        with unfinished(root) as partial:
            _make(partial, takes, seed, progress)
            _move(partial, root)
    except OSError as error:
        raise Unavailable(f"the demo corpus can't be written to {root}: {error}") from error
    return root / MANIFEST_NAME


def _make(folder: Path, takes: Sequence[Take], seed: int, progress: Progress | None) -> None:
    (folder / "clips").mkdir()
    rows, segments = [], []
    with Synthesizer() as synthesizer:
        for place, (take, clip) in enumerate(zip(takes, _recorded(synthesizer, takes, seed), strict=True)):
            path = f"clips/{place:05}.wav"
            _write_wave(folder / path, clip)
            rows.append((path, take.split, *labels_of(take), take.speaker.name))
            segments.append((path, *(f"{time:.7f}" for time in clip.speech), SPEECH))
            if progress is not None:
                progress(place + 1, len(takes))
    header = ("path", "split", *LABELS, GROUP)
    _write_table(folder / MANIFEST_NAME, [header, *rows])
    _write_table(folder / SEGMENTS_NAME, [("path", "onset", "offset", "event"), *segments])


def _recorded(synthesizer: Synthesizer, takes: Sequence[Take], seed: int) -> Iterator[Clip]:
    """Yield the clip of every take, in order.

    The synthesizer speaks one utterance after the other, since the same order gives the same sound; what is spoken is
    staged meanwhile in one thread: several threads would only wait for each other.
    """
    with ThreadPoolExecutor(1) as pool:
        pending: deque[Future[Clip]] = deque()
        for place, take in enumerate(takes):
            random = np.random.default_rng([seed, 1, place])
            voice = _say(synthesizer, take, random)
            pending.append(pool.submit(stage, voice, synthesizer.sample_rate, take.speaker, random))
            if len(pending) > _AHEAD:
                yield pending.popleft().result()
        yield from (clip.result() for clip in pending)


def _say(synthesizer: Synthesizer, take: Take, random: np.random.Generator) -> Signal:
    """Return what the speaker says, at the synthesizer's rate: no speaker says a word twice in quite the same way."""
    who = take.speaker
    rate = who.rate + int(random.integers(-8, 8, endpoint=True))
    pitch = who.pitch + int(random.integers(-3, 3, endpoint=True))
    return synthesizer.say(Utterance(take.word, who.voice, rate, pitch, who.range)).astype(np.float64)


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
