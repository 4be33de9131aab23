"""Noise in training clips, at the ratio that was asked for."""

import numpy as np
import pytest
import torch
from torch import Tensor

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.batches import Batch
from taskgraft.evaluators.features import FLOOR, SILENCE, build_rows
from taskgraft.evaluators.noise import Noise
from taskgraft.space.front_ends import PRESETS, FrontEnd, LogMel, Picture, Waveform

CLIPS, FRAMES = 40, 60


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sounds(samples: int, clips: int = CLIPS) -> Tensor:
    """Tones of many pitches and levels."""
    times, pitches = torch.arange(samples) / 16_000, torch.linspace(200, 7_000, clips)[:, None]
    return torch.logspace(-3, -0.5, clips)[:, None] * torch.sin(2 * torch.pi * pitches * times)


def batch_of(front_end: FrontEnd) -> Batch:
    """Rows of sounds that cover frames 10 to 50 of their crop."""
    rows = build_rows(front_end, 40)(sounds(40 * front_end.hop))[:, None]
    silence = build_rows(front_end, 1)(torch.zeros(1, front_end.hop))[:, None]
    crop = silence.repeat(CLIPS, 1, 1, FRAMES)
    crop[..., 10:50] = rows
    inside = torch.zeros(CLIPS, FRAMES, dtype=torch.bool)
    inside[:, 10:50] = True
    return Batch(crop, {}, {}, inside)


def decibels(clean: Tensor, noise: Tensor) -> Tensor:
    return 10 * torch.log10(clean.sum((1, 2, 3)) / noise.sum((1, 2, 3)))


@pytest.mark.parametrize(("lowest", "highest"), [(0.0, 0.0), (-10.0, 30.0), (40.0, 60.0)])
def test_samples_have_noise_at_the_ratio_that_was_asked_for(lowest: float, highest: float) -> None:
    batch = batch_of(Waveform())
    clean = batch.features.double().clone()
    Noise(Waveform(), lowest, highest).add_(batch, seeded())
    added = batch.features.double() - clean
    ratios = decibels(clean.square(), added.square())
    assert (ratios >= lowest - 0.01).all()
    assert (ratios <= highest + 0.01).all()
    assert ratios.max() - ratios.min() == pytest.approx(highest - lowest, rel=0.2, abs=0.02)
    assert not batch.features[..., :10].any()
    assert not batch.features[..., 50:].any()


def test_noise_in_samples_is_white_and_another_for_each_clip() -> None:
    batch = batch_of(Waveform())
    clean = batch.features.clone()
    Noise(Waveform(), 0.0, 0.0).add_(batch, seeded())
    samples = (batch.features - clean)[:, 0, :, 10:50].transpose(1, 2).flatten(1)  # [n, samples]
    scaled = samples / samples.std(1, keepdim=True)
    power = torch.fft.rfft(scaled).abs().square().mean(0)
    thirds = torch.stack([part.mean() for part in power.chunk(3)])
    assert (thirds / thirds.mean() - 1).abs().max() < 0.03
    alike = (scaled[:-1] * scaled[1:]).mean(1)
    assert alike.abs().max() < 0.06


@pytest.mark.parametrize("front_end", [LogMel(), PRESETS["scene"], Picture(window=2_048, hop=512, fft=2_048, bands=64)])
def test_mel_energies_have_noise_at_the_ratio_that_was_asked_for(front_end: FrontEnd) -> None:
    batch = batch_of(front_end)
    clean = batch.features.clone()
    Noise(front_end, 5.0, 15.0).add_(batch, seeded())
    added = (batch.features.double().exp() - clean.double().exp())[..., 10:50]
    ratios = decibels((clean.double().exp() - FLOOR)[..., 10:50], added)
    assert (ratios >= 5 - 0.05).all()
    assert (ratios <= 15 + 0.05).all()
    assert ratios.std() > 2
    assert torch.equal(batch.features[..., :10], clean[..., :10])
    assert torch.equal(batch.features[..., 50:], clean[..., 50:])


def test_noise_in_mel_energies_is_what_noise_in_the_samples_gives() -> None:
    """Its mean in every band, and how much it differs from frame to frame."""
    front_end, clips, frames = LogMel(), 4, 1_000
    samples = 0.1 * torch.sin(2 * torch.pi * 440 * torch.arange(frames * front_end.hop) / 16_000).repeat(clips, 1)
    log_mel = build_rows(front_end, frames)
    noise = torch.randn(samples.shape, generator=seeded(1)) * samples.square().mean().sqrt() * 10 ** (-10 / 20)
    rows = log_mel(samples)[:, None]
    Noise(front_end, 10.0, 10.0).add_(Batch(rows, {}, {}, torch.ones(clips, frames, dtype=torch.bool)), seeded(2))
    expected, found = log_mel(samples + noise).numpy(), rows[:, 0].numpy()
    inner = slice(5, -5)  # the window of the first frames sees the silence before the clip
    np.testing.assert_allclose(found[..., inner].mean((0, 2)), expected[..., inner].mean((0, 2)), atol=0.25)
    quiet = slice(20, None)  # bands without the tone
    spread, wanted = (one[:, quiet, inner].std((0, 2)) for one in (found, expected))
    np.testing.assert_allclose(spread, wanted, rtol=0.1)


@pytest.mark.parametrize("front_end", [LogMel(), Waveform()])
def test_a_silent_clip_stays_silent(front_end: FrontEnd) -> None:
    silence = SILENCE if isinstance(front_end, LogMel) else 0.0
    rows = torch.full((2, 1, front_end.rows, 8), silence)
    Noise(front_end, 0.0, 0.0).add_(Batch(rows, {}, {}, torch.ones(2, 8, dtype=torch.bool)), seeded())
    torch.testing.assert_close(rows, torch.full_like(rows, silence), atol=1e-5, rtol=0)


def test_coefficients_take_no_noise() -> None:
    with pytest.raises(InvalidInput, match=r"training\.noise: is not for Mfcc"):
        Noise(PRESETS["mfcc"], 0.0, 10.0)
    assert [name for name, spec in PRESETS.items() if not spec.takes_noise] == ["mfcc"]
