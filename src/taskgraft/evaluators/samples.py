"""Recordings that are in memory already, by the rules of those in files."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.audio import (
    MAX_CHANNELS,
    MAX_RATE,
    MAX_SECONDS,
    MIN_RATE,
    Waveform,
    resampled_to,
    to_mono,
)

_WHOLE_NUMBERS = ("uint8", "int16", "int32")
"""The types of whole numbers that recordings have; others are counts of something else, or lost their range."""


def to_waveform(samples: ArrayLike, rate: int, sample_rate: int) -> Waveform:
    """Return samples in memory as `read_audio` returns those of a file.

    Args:
        samples: shape [samples] or [samples, channels], as soundfile reads them. Floating point numbers are taken as
            they are, nominally in [-1, 1]; whole numbers are scaled to that range.
        rate: their rate in hertz.
        sample_rate: the rate of the result in hertz.

    Raises:
        InvalidInput: at ``samples`` or ``rate``: what is not a recording.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidInput.at("rate", f"a whole number from {MIN_RATE:,} to {MAX_RATE:,} hertz; got {rate!r:.80}")
    array = _array(samples)
    _check(array, int(rate))
    with np.errstate(over="ignore"):  # what is too large for single precision is refused below
        block = _scaled(array).astype(np.float32).reshape(len(array), -1)
    if not np.isfinite(block).all():
        raise InvalidInput.at("samples", "every sample is a finite number; got NaN or infinity")
    return resampled_to(to_mono(block), int(rate), sample_rate)


def _array(samples: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(samples)
    except (ValueError, TypeError) as error:
        raise InvalidInput.at("samples", f"an array of numbers: {error}") from error


def _check(array: NDArray[Any], rate: int) -> None:
    if array.dtype.kind != "f" and array.dtype.name not in _WHOLE_NUMBERS:
        rule = f"floating point numbers in [-1, 1], or whole numbers of type {', '.join(_WHOLE_NUMBERS)}"
        raise InvalidInput.at("samples", f"{rule}; got {array.dtype}")
    shape = list(array.shape)
    if array.ndim not in (1, 2) or 0 in shape:
        raise InvalidInput.at("samples", f"shape [samples] or [samples, channels], one sample or more; got {shape}")
    if array.ndim == 2 and array.shape[1] > MAX_CHANNELS:
        hint = "; channels come second: samples.T" if array.shape[0] <= MAX_CHANNELS else ""
        raise InvalidInput.at("samples", f"at most {MAX_CHANNELS} channels; got shape {shape}{hint}")
    if len(array) > MAX_SECONDS * rate:
        raise InvalidInput.at("samples", f"at most {MAX_SECONDS} seconds; got {len(array) / rate:,.1f}")


def _scaled(array: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Scale whole numbers to [-1, 1); unsigned ones are silent in the middle of their range, as in WAV files."""
    if array.dtype.kind == "f":
        return array
    limits = np.iinfo(array.dtype)
    middle = (int(limits.max) + int(limits.min) + 1) // 2
    return (array.astype(np.float64) - middle) / (int(limits.max) + 1 - middle)
