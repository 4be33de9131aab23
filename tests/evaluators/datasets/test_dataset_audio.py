import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets import audio
from taskgraft.evaluators.datasets.audio import AudioFacts, probe, read_audio

from .corpora import write_tone


def both_refuse(path: Path, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_audio(path, 16_000)
    with pytest.raises(InvalidInput, match=message):
        probe(path)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_common_forms_are_read(tmp_path: Path, ending: str) -> None:
    time = np.arange(16_000) / 16_000
    path = tmp_path / f"tone.{ending}"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * time), 16_000)
    waveform = read_audio(path, 16_000)
    assert waveform.dtype == np.float32
    assert waveform.shape == (16_000,)
    assert np.abs(np.fft.rfft(waveform)).argmax() == 440
    assert probe(path) == AudioFacts(16_000, 1, 1.0)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_length_level_and_pitch(tmp_path: Path, rate: int) -> None:
    waveform = read_audio(write_tone(tmp_path / "tone.wav", seconds=1.0, rate=rate, hertz=1_000), 16_000)
    assert waveform.shape == (16_000,)
    assert np.abs(np.fft.rfft(waveform)).argmax() == 1_000
    assert np.sqrt(np.mean(waveform[1_000:-1_000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_channels_are_averaged(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.array([[0.5, 0.25], [-0.5, 0.0]]), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "x.wav", 16_000), [0.375, -0.25])
    assert probe(tmp_path / "x.wav").channels == 2


def test_whole_numbers_of_32_bits_as_floats_are_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.full((4, 2), -(2.0**31)), 16_000, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(tmp_path / "x.wav", 16_000), np.full(4, -(2.0**31), np.float32))


@pytest.mark.parametrize("huge", [1e19, -1e19, 3e38])
def test_samples_whose_energies_would_be_infinite_are_refused_with_their_value(tmp_path: Path, huge: float) -> None:
    samples = np.zeros(100_000)
    samples[99_000] = huge
    soundfile.write(tmp_path / "x.wav", samples, 16_000, subtype="FLOAT")
    both_refuse(
        tmp_path / "x.wav", "a sample lies within ±4,294,967,296, normally within ±1; got " + re.escape(f"{huge:g}")
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused_wherever_they_are(tmp_path: Path, bad: float) -> None:
    samples = np.zeros(100_000)
    samples[99_000] = bad
    soundfile.write(tmp_path / "x.wav", samples, 16_000, subtype="FLOAT")
    both_refuse(tmp_path / "x.wav", "finite number")


def test_empty_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    both_refuse(tmp_path / "empty.wav", "at least one sample")
    both_refuse(tmp_path / "none.wav", "no such file")
    both_refuse(tmp_path, "not a plain file")
    for name in ("zero.wav", "text.raw", "text.flac"):
        (tmp_path / name).write_bytes(b"" if name == "zero.wav" else b"not a sound at all" * 10)
        both_refuse(tmp_path / name, "no readable recording")
    both_refuse(tmp_path / ("x" * 5_000), "cannot be read: File name too long")


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    both_refuse(tmp_path / "pipe.wav", "not a plain file")


def test_a_truncated_flac_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 50_000), 16_000)
    path.write_bytes(path.read_bytes()[:40_000])
    both_refuse(path, "no readable recording")


def test_a_header_that_claims_too_much_is_not_believed(tmp_path: Path) -> None:
    wav = bytearray(write_tone(tmp_path / "x.wav", seconds=1.0).read_bytes())
    wav[40:44] = struct.pack("<I", 0xFFFF_FFF0)
    (tmp_path / "x.wav").write_bytes(wav)
    assert read_audio(tmp_path / "x.wav", 8_000).shape == (8_000,)
    soundfile.write(tmp_path / "x.flac", np.zeros(8_000), 8_000)
    flac = bytearray((tmp_path / "x.flac").read_bytes())
    flac[21] |= 0x0F
    flac[22:26] = b"\xff\xff\xff\xff"
    (tmp_path / "x.flac").write_bytes(flac)
    both_refuse(tmp_path / "x.flac", "no readable recording")


def test_a_clip_beyond_the_limit_is_refused_though_its_file_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "MAX_SECONDS", 20)
    soundfile.write(tmp_path / "fits.flac", np.zeros(20 * 8_000), 8_000)
    soundfile.write(tmp_path / "long.flac", np.zeros(20 * 8_000 + 1), 8_000)
    assert probe(tmp_path / "fits.flac").seconds == 20
    both_refuse(tmp_path / "long.flac", "at most 20 seconds")


@pytest.mark.parametrize("rate", [999, 192_001, 2_000_000_000])
def test_absurd_rates_are_refused(tmp_path: Path, rate: int) -> None:
    wav = bytearray(write_tone(tmp_path / "x.wav").read_bytes())
    wav[24:28] = struct.pack("<I", rate)
    (tmp_path / "x.wav").write_bytes(wav)
    both_refuse(tmp_path / "x.wav", "a rate lies between 1,000 and 192,000 Hz")


def test_absurd_channel_counts_are_refused(tmp_path: Path) -> None:
    write_tone(tmp_path / "x.wav", channels=33)
    both_refuse(tmp_path / "x.wav", "at most 32 channels; got 33")
