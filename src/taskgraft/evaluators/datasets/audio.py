"""Reading recordings: one mono waveform at the rate that is asked for.

The length in a file's header is not trusted: files are decoded in blocks, up to a limit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import gcd, isfinite
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from taskgraft.errors import InvalidInput

MAX_SECONDS = 600
MIN_RATE, MAX_RATE = 1_000, 192_000
MAX_CHANNELS = 32
MAX_SAMPLE = 2.0**32
"""Whole numbers of 32 bits that are written as floats fit, and mel energies stay finite in single precision."""
_BLOCK_FRAMES = 65_536

Waveform = NDArray[np.float32]
"""Samples of a mono recording, nominally in [-1, 1], shape [samples]."""


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What a recording is: its rate in hertz, its channels, its length in seconds."""

    sample_rate: int
    channels: int
    seconds: float


def read_audio(path: Path, sample_rate: int) -> Waveform:
    """Return the whole recording: channels averaged, resampled to ``sample_rate`` hertz; float32, shape [samples].

    Raises:
        InvalidInput: the file is missing, not a recording, damaged, empty, longer than `MAX_SECONDS`, holds a number
            that is not finite or beyond `MAX_SAMPLE`, or its rate or channels lie outside what a recording has.
    """
    with _open(path) as file:
        waveform = np.concatenate([to_mono(block) for block in _blocks(file, path)])
        rate = file.samplerate
    return resampled_to(waveform, rate, sample_rate)


def resampled_to(waveform: Waveform, rate: int, sample_rate: int) -> Waveform:
    """Return a waveform of ``rate`` hertz at ``sample_rate`` hertz."""
    if rate == sample_rate:
        return waveform
    from scipy.signal import resample_poly  # noqa: PLC0415  # half a second that most programs never need

    common = gcd(rate, sample_rate)
    resampled: Waveform = resample_poly(waveform, sample_rate // common, rate // common).astype(np.float32)
    return resampled


def to_mono(block: NDArray[np.float32]) -> Waveform:
    """Return the mean of the channels of a block [samples, channels]; summed in double precision, it stays finite."""
    mean: NDArray[np.float64] = block.mean(axis=1, dtype=np.float64)
    return mean.astype(np.float32)


def probe(path: Path) -> AudioFacts:
    """Decode the whole recording in constant memory and say what it is.

    Raises:
        InvalidInput: as for `read_audio`.
    """
    with _open(path) as file:
        frames = sum(len(block) for block in _blocks(file, path))
        return AudioFacts(file.samplerate, file.channels, frames / file.samplerate)


@contextmanager
def _open(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open by descriptor: soundfile then judges the content, never the name's ending."""
    try:
        if not path.is_file():
            raise InvalidInput.at(str(path), "there is no such file" if not path.exists() else "is not a plain file")
        with path.open("rb") as handle, soundfile.SoundFile(handle.fileno(), closefd=False) as file:
            _check_header(file, path)
            yield file
    except OSError as error:
        raise InvalidInput.at(str(path), f"cannot be read: {error.strerror}") from error
    except soundfile.LibsndfileError as error:
        raise InvalidInput.at(str(path), f"is no readable recording: {error.error_string}") from error


def _check_header(file: soundfile.SoundFile, path: Path) -> None:
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        raise InvalidInput.at(
            str(path), f"a rate lies between {MIN_RATE:,} and {MAX_RATE:,} Hz; got {file.samplerate:,}"
        )
    if file.channels > MAX_CHANNELS:
        raise InvalidInput.at(str(path), f"a recording has at most {MAX_CHANNELS} channels; got {file.channels}")


def _blocks(file: soundfile.SoundFile, path: Path) -> Iterator[NDArray[np.float32]]:
    """Yield blocks of shape [frames, channels], each checked; at least one."""
    frames = 0
    while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
        frames += len(block)
        if frames > MAX_SECONDS * file.samplerate:
            raise InvalidInput.at(str(path), f"a clip lasts at most {MAX_SECONDS} seconds; this one is longer")
        _check_samples(block, path)
        yield block
    if not frames:
        raise InvalidInput.at(str(path), "a recording holds at least one sample; got none")


def _check_samples(block: NDArray[np.float32], path: Path) -> None:
    low, high = float(block.min()), float(block.max())
    if low >= -MAX_SAMPLE and high <= MAX_SAMPLE:  # neither is true of NaN
        return
    if not (isfinite(low) and isfinite(high)):
        raise InvalidInput.at(str(path), "every sample is a finite number; got NaN or infinity")
    largest = max(low, high, key=abs)
    raise InvalidInput.at(str(path), f"a sample lies within ±{MAX_SAMPLE:,.0f}, normally within ±1; got {largest:g}")
