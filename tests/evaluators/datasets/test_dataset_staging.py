from dataclasses import replace

import numpy as np
import pytest

from taskgraft.evaluators.datasets.cast import Speaker, cast_clips
from taskgraft.evaluators.datasets.noise import KINDS, level, noise
from taskgraft.evaluators.datasets.staging import CLIP_SAMPLES, SAMPLE_RATE, age, stage, trim

PLAIN: Speaker = replace(cast_clips(40, 0)[0].speaker, tract=1.0, tremor=0.0, breath=0.0)
VOICE_RATE = 22_050


def tone(seconds: float, hertz: float = 200.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * VOICE_RATE)) / VOICE_RATE)


def loudest_hertz(signal: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(np.abs(np.fft.rfft(signal)).argmax() * SAMPLE_RATE / len(signal))


@pytest.mark.parametrize("kind", KINDS)
def test_noises_have_unit_level_and_are_drawn_from_the_generator(kind: str) -> None:
    first, again, other = (noise(kind, 16_000, SAMPLE_RATE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert level(first) == pytest.approx(1.0)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_noise_colours_fall_off_as_named() -> None:
    def tilt(kind: str) -> float:
        power = np.abs(np.fft.rfft(noise(kind, 160_000, SAMPLE_RATE, np.random.default_rng(0)))) ** 2
        return float(10 * np.log10(power[1_000:2_000].mean() / power[10_000:20_000].mean()))

    assert tilt("white") == pytest.approx(0, abs=1)
    assert tilt("pink") == pytest.approx(10, abs=1)
    assert tilt("brown") == pytest.approx(20, abs=1)


def test_a_shorter_tract_sounds_higher_and_shorter() -> None:
    random = np.random.default_rng(0)
    usual = age(tone(0.5), VOICE_RATE, PLAIN, random)
    high = age(tone(0.5), VOICE_RATE, replace(PLAIN, tract=1.25), random)
    assert loudest_hertz(usual) == pytest.approx(200, abs=3)
    assert loudest_hertz(high) == pytest.approx(250, abs=3)
    assert len(usual) == pytest.approx(0.5 * SAMPLE_RATE, abs=2)
    assert len(high) == pytest.approx(0.4 * SAMPLE_RATE, abs=2)


def test_what_the_rate_can_not_hold_is_filtered_out() -> None:
    assert level(age(tone(0.5, hertz=10_000), VOICE_RATE, PLAIN, np.random.default_rng(0))) < 0.01


def test_breath_adds_noise_where_the_voice_is() -> None:
    clear, breathy = (
        age(tone(0.5), VOICE_RATE, replace(PLAIN, breath=breath), np.random.default_rng(0)) for breath in (0.0, 0.2)
    )
    assert 0.02 < level(breathy - clear) / level(clear) < 0.3


def test_trimming_takes_silence_from_the_ends_only() -> None:
    sound, pause = np.full(3_200, 0.5), np.zeros(1_600)
    assert len(trim(np.concatenate([pause, sound, pause, sound, pause]))) == 2 * 3_200 + 1_600


@pytest.mark.parametrize("seed", range(10))
def test_the_region_is_where_the_speech_is(seed: int) -> None:
    clip = stage(tone(0.4), VOICE_RATE, PLAIN, np.random.default_rng(seed))
    onset, offset = (round(time * SAMPLE_RATE) for time in clip.speech)
    assert clip.samples.shape == (CLIP_SAMPLES,)
    assert offset - onset == pytest.approx(0.4 * SAMPLE_RATE, abs=64)
    assert 0 <= onset < offset <= CLIP_SAMPLES
    samples = clip.samples.astype(np.float64)
    inside, outside = samples[onset:offset], np.concatenate([samples[:onset], samples[offset:]])
    assert level(inside) > 1.2 * level(outside)
    assert 0.17 * 32_767 < np.abs(samples).max() < 0.9 * 32_767


def test_a_voice_longer_than_the_clip_is_cut() -> None:
    clip = stage(tone(3.0), VOICE_RATE, PLAIN, np.random.default_rng(0))
    assert clip.speech == (0.02, 0.98)
