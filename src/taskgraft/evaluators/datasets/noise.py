"""Background noises of the demo corpus, each of unit level (root mean square 1)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
"""Shape [samples]."""

_BABBLE_HERTZ = (150.0, 4_000.0)
_TALKERS = 5


def noise(kind: str, samples: int, sample_rate: int, random: np.random.Generator) -> Signal:
    """One of `KINDS`, shape [samples]."""
    made = KINDS[kind](samples, sample_rate, random)
    return made / level(made)


def level(signal: Signal) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(signal))))


def _coloured(samples: int, exponent: float, random: np.random.Generator) -> Signal:
    """Gaussian noise whose power falls with frequency to the ``exponent``."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    bins = np.maximum(np.arange(len(spectrum)), 1)
    return np.fft.irfft(spectrum * bins ** (-exponent / 2), samples)


def _white(samples: int, _sample_rate: int, random: np.random.Generator) -> Signal:
    return _coloured(samples, 0.0, random)


def _pink(samples: int, _sample_rate: int, random: np.random.Generator) -> Signal:
    return _coloured(samples, 1.0, random)


def _brown(samples: int, _sample_rate: int, random: np.random.Generator) -> Signal:
    return _coloured(samples, 2.0, random)


def _hum(samples: int, sample_rate: int, random: np.random.Generator) -> Signal:
    """Mains hum with harmonics, over a little hiss."""
    harmonics = np.arange(1, 9)[:, None] * random.choice([50.0, 60.0])
    phases = random.uniform(0, 2 * np.pi, harmonics.shape)
    weights = random.uniform(0.2, 1.0, harmonics.shape) / np.arange(1, 9)[:, None]
    tones = weights * np.sin(2 * np.pi * harmonics * np.arange(samples) / sample_rate + phases)
    hum: Signal = tones.sum(axis=0) + 0.05 * random.standard_normal(samples)
    return hum


def _babble(samples: int, sample_rate: int, random: np.random.Generator) -> Signal:
    """Several talkers too far away to be understood: noise in the band of speech, in the rhythm of syllables."""
    hertz = np.fft.rfftfreq(samples, 1 / sample_rate)
    band = (hertz >= _BABBLE_HERTZ[0]) & (hertz <= _BABBLE_HERTZ[1])
    voices = np.zeros(samples)
    for _ in range(_TALKERS):
        carrier = np.fft.irfft(np.fft.rfft(_coloured(samples, 1.0, random)) * band, samples)
        rhythm = np.sin(np.pi * (random.uniform(3, 6) * np.arange(samples) / sample_rate + random.uniform(0, 1)))
        voices += carrier * np.square(rhythm)
    return voices


KINDS: dict[str, Callable[[int, int, np.random.Generator], Signal]] = {
    "babble": _babble,
    "brown": _brown,
    "hum": _hum,
    "pink": _pink,
    "white": _white,
}
