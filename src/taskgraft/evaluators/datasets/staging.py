"""How a clip of the demo corpus is staged: a voice is trimmed, aged, placed in time and put before a noise."""

# ruff: noqa: PLC0415  # scipy.signal takes half a second to import, and naming the corpus does not need it
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.cast import Speaker
from taskgraft.evaluators.datasets.noise import KINDS, Signal, level, noise
from taskgraft.evaluators.datasets.segments import Region

SAMPLE_RATE = 16_000
CLIP_SAMPLES = SAMPLE_RATE
SNR_DECIBELS = (5.0, 25.0)
PEAK_DECIBELS = (-15.0, -1.0)
_MARGIN = SAMPLE_RATE // 50
_MAX_SPEECH = CLIP_SAMPLES - 2 * _MARGIN
_FADE = SAMPLE_RATE // 500
_SILENCE_DECIBELS = -40.0
_TREMOR_HERTZ = (4.0, 7.0)
_PASS_HERTZ = 7_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A finished clip: 16-bit samples at `SAMPLE_RATE`, shape [CLIP_SAMPLES], and where in it somebody speaks."""

    samples: NDArray[np.int16]
    speech: Region


def stage(voice: Signal, voice_rate: int, speaker: Speaker, random: np.random.Generator) -> Clip:
    """Make a clip of an utterance, ``voice``, shape [samples] at ``voice_rate`` hertz, that isn't silent."""
    speech = _fade(trim(age(voice, voice_rate, speaker, random))[:_MAX_SPEECH])
    onset = int(random.integers(_MARGIN, CLIP_SAMPLES - _MARGIN - len(speech), endpoint=True))
    kind = str(random.choice(sorted(KINDS)))
    background = noise(kind, CLIP_SAMPLES, SAMPLE_RATE, random)
    clip = background * level(speech) / _gain(random.uniform(*SNR_DECIBELS))
    clip[onset : onset + len(speech)] += speech
    clip *= _gain(random.uniform(*PEAK_DECIBELS)) / np.abs(clip).max()
    region = (onset / SAMPLE_RATE, (onset + len(speech)) / SAMPLE_RATE)
    return Clip(np.round(32767 * clip).astype(np.int16), region)


def age(voice: Signal, voice_rate: int, speaker: Speaker, random: np.random.Generator) -> Signal:
    """Give a voice its tract, tremor and breath, and the corpus's rate."""
    steps = _playback(len(voice), voice_rate, speaker, random)
    from scipy.ndimage import map_coordinates
    from scipy.signal import sosfiltfilt

    passed = sosfiltfilt(_low_pass(voice_rate), voice)
    spoken: Signal = map_coordinates(passed, [steps], order=3, mode="nearest")
    loudness = np.abs(spoken)
    smooth = np.convolve(loudness, np.full(_FADE * 4, 1 / (_FADE * 4)), mode="same")
    breath = speaker.breath * smooth * random.standard_normal(len(spoken))
    return spoken + breath


@cache
def _low_pass(rate: int) -> NDArray[np.float64]:
    """Return a filter that keeps what the corpus's rate can hold, as second-order sections."""
    from scipy.signal import butter

    return np.asarray(butter(8, _PASS_HERTZ, fs=rate, output="sos"))


def _playback(samples: int, voice_rate: int, speaker: Speaker, random: np.random.Generator) -> Signal:
    """Return places in the voice, in samples, heard one after the other: larger steps make the voice sound higher."""
    step = speaker.tract * voice_rate / SAMPLE_RATE
    seconds = np.arange(int(samples / step)) / SAMPLE_RATE
    hertz, phase = random.uniform(*_TREMOR_HERTZ), random.uniform(0, 2 * np.pi)
    shake = 1 + speaker.tremor * np.sin(2 * np.pi * hertz * seconds + phase)
    return np.minimum(np.cumsum(step * shake), samples - 1)


def trim(signal: Signal) -> Signal:
    """Remove the silence at both ends: what lies more than 40 dB below the loudest moment."""
    windows = signal[: len(signal) // _FADE * _FADE].reshape(-1, _FADE)
    levels = np.sqrt(np.mean(np.square(windows), axis=1))
    (loud,) = np.nonzero(levels > levels.max() * _gain(_SILENCE_DECIBELS))
    return signal[loud[0] * _FADE : (loud[-1] + 1) * _FADE]


def _fade(signal: Signal) -> Signal:
    """Fade both ends, so that they do not click."""
    ramp = np.linspace(0, 1, _FADE)
    faded = signal.copy()
    faded[:_FADE] *= ramp
    faded[-_FADE:] *= ramp[::-1]
    return faded


def _gain(decibels: float) -> float:
    return float(10 ** (decibels / 20))
