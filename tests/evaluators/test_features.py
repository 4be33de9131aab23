import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dct

from taskgraft.errors import InvalidInput, Unavailable
from taskgraft.evaluators._torchaudio import torchaudio
from taskgraft.evaluators.datasets.audio import MAX_SAMPLE, read_audio
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import Corpus, read_corpus
from taskgraft.evaluators.features import (
    FLOOR,
    SILENCE,
    FeaturePack,
    LogMel,
    build_pack,
    build_rows,
    measure_normalisation,
)
from taskgraft.space import front_ends
from taskgraft.space.front_ends import PRESETS, Mfcc
from tests.evaluators.tones import write_tones

FRONT_END = front_ends.LogMel()
SAMPLES = st.integers(1, 4000)


def noise(samples: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32))


@settings(deadline=None, max_examples=30)
@given(SAMPLES, st.integers(0, 20))
def test_padding_the_waveform_is_padding_the_frames_with_silence(samples: int, more: int) -> None:
    waveform = noise(samples)
    touched = FRONT_END.frames(samples)
    own = LogMel(FRONT_END)(waveform)
    padded = LogMel(FRONT_END, frames=touched + more)(waveform)
    assert own.shape == (FRONT_END.bands, touched)
    assert padded.shape == (FRONT_END.bands, touched + more)
    torch.testing.assert_close(padded[:, :touched], own, atol=1e-4, rtol=0)
    assert torch.all(padded[:, touched:] == torch.tensor(SILENCE))


def test_last_frame_still_touches_the_clip() -> None:
    impulse = torch.zeros(1600)
    impulse[-1] = 1.0
    log_mel = LogMel(FRONT_END, frames=20)(impulse)
    loud = torch.nonzero((log_mel > SILENCE + 1).any(0)).flatten()
    assert loud[-1] < FRONT_END.frames(1600)


def test_log_mel_is_that_of_a_plain_discrete_fourier_transform() -> None:
    waveform = noise(1600).numpy().astype(np.float64)
    half = FRONT_END.fft // 2
    padded = np.pad(waveform, half)
    window = np.pad(np.hanning(FRONT_END.window + 1)[:-1], (FRONT_END.fft - FRONT_END.window) // 2)
    starts = range(0, len(waveform), FRONT_END.hop)
    power = np.stack([np.abs(np.fft.rfft(window * padded[i : i + FRONT_END.fft])) ** 2 for i in starts], axis=1)
    bank = torchaudio.functional.melscale_fbanks(half + 1, 0.0, FRONT_END.sample_rate / 2, FRONT_END.bands, 16_000)
    expected = np.log(bank.numpy().T @ power + FLOOR)
    got = LogMel(FRONT_END)(torch.from_numpy(waveform.astype(np.float32))).numpy()
    np.testing.assert_allclose(got[:, : expected.shape[1]], expected, atol=1e-3)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return read_corpus(write_tones(tmp_path / "corpus", 12))


def build(corpus: Corpus, cache: Path) -> FeaturePack:
    return build_pack(corpus, fingerprint(corpus), FRONT_END, cache)


def test_pack_holds_every_clip_behind_a_row_of_silence(corpus: Corpus, tmp_path: Path) -> None:
    pack = build(corpus, tmp_path / "cache")
    frames = pack.frames()
    assert frames.dtype == np.float16
    assert np.all(frames[0] == np.float16(SILENCE))
    assert len(frames) == pack.starts[-1] + pack.lengths[-1]
    for clip in (0, 5, 11):
        expected = LogMel(FRONT_END)(torch.from_numpy(read_audio(corpus.audio(clip), FRONT_END.sample_rate))).T
        got = frames[pack.starts[clip] :][: pack.lengths[clip]]
        np.testing.assert_allclose(got, expected, atol=0.01)


def test_equal_content_is_computed_once_wherever_it_lies(corpus: Corpus, tmp_path: Path) -> None:
    first = build(corpus, tmp_path / "cache")
    shutil.copytree(corpus.root, tmp_path / "moved")
    moved = read_corpus(tmp_path / "moved" / "manifest.csv")
    told: list[float] = []
    again = build_pack(moved, fingerprint(moved), FRONT_END, tmp_path / "cache", told.append)
    assert again.folder == first.folder
    assert told == []


def test_other_content_is_another_pack(corpus: Corpus, tmp_path: Path) -> None:
    first = build(corpus, tmp_path / "cache")
    shutil.copy(corpus.audio(0), corpus.audio(1))
    assert build(corpus, tmp_path / "cache").folder != first.folder


def test_unreadable_clips_are_all_named_and_nothing_is_kept(corpus: Corpus, tmp_path: Path) -> None:
    corpus.audio(3).write_bytes(b"no recording")
    corpus.audio(7).write_bytes(corpus.audio(7).read_bytes()[:20])
    with pytest.raises(InvalidInput) as caught:
        build(corpus, tmp_path / "cache")
    assert [Path(fault.where).name for fault in caught.value.faults] == ["3.wav", "7.wav"]
    assert list((tmp_path / "cache").iterdir()) == []


class _Interrupted(Exception):
    pass


def test_pack_whose_making_breaks_off_is_made_anew(corpus: Corpus, tmp_path: Path) -> None:
    def break_off(fraction: float) -> None:
        if fraction > 0.5:
            raise _Interrupted

    with pytest.raises(_Interrupted):
        build_pack(corpus, "same", FRONT_END, tmp_path / "cache", break_off)
    assert list((tmp_path / "cache").iterdir()) == []
    assert len(build_pack(corpus, "same", FRONT_END, tmp_path / "cache").lengths) == 12


def test_two_makers_of_one_pack_end_with_the_same_pack(corpus: Corpus, tmp_path: Path) -> None:
    faster: list[FeaturePack] = []

    def overtake(fraction: float) -> None:
        if fraction == 1.0:
            faster.append(build(corpus, tmp_path / "cache"))

    slower = build_pack(corpus, fingerprint(corpus), FRONT_END, tmp_path / "cache", overtake)
    assert slower.folder == faster[0].folder
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [slower.folder.name]


def test_cache_that_cannot_be_written_is_said_so(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="could not be written"):
        build(corpus, tmp_path / "cache")


def test_a_pack_is_mapped_once_and_can_only_be_read(corpus: Corpus, tmp_path: Path) -> None:
    pack = build(corpus, tmp_path / "cache")
    assert pack.frames() is FeaturePack.open(pack.folder).frames()
    with pytest.raises(ValueError, match="read-only"):
        pack.frames()[0] = 0


def test_normalisation_gives_the_measured_clips_mean_0_and_deviation_1(corpus: Corpus, tmp_path: Path) -> None:
    pack = build(corpus, tmp_path / "cache")
    clips = np.array([1, 4, 6], np.int32)
    rows = np.concatenate([pack.frames()[pack.starts[clip] :][: pack.lengths[clip]] for clip in clips])
    features = torch.from_numpy(rows.astype(np.float32)).T[None, None]  # [1, 1, f, t]
    scaled = measure_normalisation([(pack, clips[:1]), (pack, clips[1:])])(features)
    torch.testing.assert_close(scaled.mean(3), torch.zeros(1, 1, 64), atol=1e-3, rtol=0)
    torch.testing.assert_close(scaled.std(3, correction=0), torch.ones(1, 1, 64), atol=1e-3, rtol=0)


def test_normalisation_of_digital_silence_stays_finite(tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", np.full((6, 64), SILENCE, np.float16))
    np.save(tmp_path / "lengths.npy", np.array([5], np.int32))
    normalisation = measure_normalisation([(FeaturePack.open(tmp_path), np.array([0], np.int32))])
    assert torch.isfinite(normalisation(torch.zeros(1, 1, 64, 3))).all()


def test_mel_coefficients_are_the_cosine_transform_of_log_mel() -> None:
    spec = PRESETS["mfcc"]
    assert isinstance(spec, Mfcc)
    waveform = torch.randn(2, 4_000, generator=torch.Generator().manual_seed(0))
    found, bands = build_rows(spec)(waveform), LogMel(spec)(waveform).numpy()
    assert found.shape == (2, 40, spec.frames(4_000))
    np.testing.assert_allclose(found.numpy(), dct(bands, type=2, norm="ortho", axis=1)[:, :40], atol=2e-4)


def test_padding_the_waveform_and_padding_the_rows_is_the_same_for_every_kind() -> None:
    for name, spec in PRESETS.items():
        rows = build_rows(spec)
        waveform = torch.randn(1, spec.sample_rate // 2, generator=torch.Generator().manual_seed(1))
        short, padded = rows(waveform), rows(torch.nn.functional.pad(waveform, (0, spec.sample_rate)))
        silence = rows(torch.zeros(1, spec.hop))[:, :, :1]
        behind = padded.shape[2] - short.shape[2]
        assert behind > 10
        torch.testing.assert_close(padded, torch.cat([short, silence.expand(-1, -1, behind)], 2), msg=name)


@pytest.mark.parametrize("front_end", [front_ends.LogMel(), Mfcc()])
def test_the_loudest_samples_that_are_read_have_finite_features(front_end: front_ends.Mel) -> None:
    loudest = MAX_SAMPLE * torch.sign(noise(4000))
    assert build_rows(front_end)(loudest).isfinite().all()
    assert build_rows(front_end)(loudest).half().isfinite().all()


def test_a_clip_that_cannot_be_read_is_named_with_its_dataset(tmp_path: Path) -> None:
    corpus = read_corpus(write_tones(tmp_path / "corpus"))
    soundfile.write(corpus.audio(3), np.full(4000, 1e19), 16_000, subtype="FLOAT")
    with pytest.raises(InvalidInput) as raised:
        build_pack(corpus, "changed", FRONT_END, tmp_path / "cache")
    (fault,) = raised.value.faults
    assert fault.where == f"{corpus.name}: {corpus.audio(3)}"
    assert fault.message.endswith("got 1e+19")
    assert list((tmp_path / "cache").iterdir()) == []
