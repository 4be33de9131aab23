"""From waveforms to the rows of a front end, computed once per corpus and kept in a memory-mapped pack.

Notation: ``n`` clips, ``f`` bands, ``t`` frames.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, singledispatch
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taskgraft.errors import Fault, InvalidInput, Unavailable
from taskgraft.evaluators._torchaudio import torchaudio
from taskgraft.evaluators.datasets.audio import read_audio
from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.unfinished import sweep_unfinished, unfinished
from taskgraft.space import front_ends
from taskgraft.space.front_ends import FrontEnd, Mel

FLOOR = 1e-6
SILENCE = float(np.log(FLOOR))
"""The log-mel value of pure silence: what clips are padded with."""
_LOUDEST = 60_000.0
"""What a pack can hold of a raw sample: half precision goes a little further."""
_PACK_FORMAT = 1
_MAPPED_PACKS = 64


class LogMel(nn.Module):
    """Waveform [n, samples] -> log-mel [n, f, t] with ``front_end.frames(samples)`` frames, or the first ``frames``."""

    def __init__(self, front_end: Mel, frames: int | None = None) -> None:
        super().__init__()
        self.front_end = front_end
        self.frames = frames
        with warnings.catch_warnings():
            # Where bands are as narrow as published, the lowest may lie between two frequencies: they are silent.
            warnings.filterwarnings("ignore", "At least one mel filterbank")
            self.mel = torchaudio.transforms.MelSpectrogram(
                sample_rate=front_end.sample_rate,
                n_fft=front_end.fft,
                win_length=front_end.window,
                hop_length=front_end.hop,
                n_mels=front_end.bands,
                pad_mode="constant",
            )

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the natural logarithm of mel energies, never below `SILENCE`."""
        samples = waveform.shape[-1]
        frames = self.frames or self.front_end.frames(samples)
        padded = nn.functional.pad(waveform, (0, max(0, frames * self.front_end.hop - samples)))
        mel: Tensor = self.mel(padded)
        return torch.log(mel[..., :frames] + FLOOR)


class MelCoefficients(nn.Module):
    """Waveform [n, samples] -> the first coefficients of the cosine transform of log-mel [n, c, t]."""

    transform: Tensor

    def __init__(self, front_end: front_ends.Mfcc, frames: int | None = None) -> None:
        super().__init__()
        self.log_mel = LogMel(front_end, frames)
        transform = torchaudio.functional.create_dct(front_end.coefficients, front_end.bands, norm="ortho")
        self.register_buffer("transform", transform.T)  # [c, f]

    def forward(self, waveform: Tensor) -> Tensor:
        """Return as many frames as log-mel has."""
        coefficients: Tensor = self.transform @ self.log_mel(waveform)
        return coefficients


class Samples(nn.Module):
    """Waveform [..., samples] -> the same samples [..., hop, t], zeros behind the last.

    There are ``front_end.frames(samples)`` frames, or the first ``frames``.
    """

    def __init__(self, front_end: front_ends.Waveform, frames: int | None = None) -> None:
        super().__init__()
        self.front_end = front_end
        self.frames = frames

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the samples that follow each other from each frame's time on."""
        hop, samples = self.front_end.hop, waveform.shape[-1]
        frames = self.frames or self.front_end.frames(samples)
        padded = nn.functional.pad(waveform, (0, frames * hop - samples)).clamp(-_LOUDEST, _LOUDEST)
        return padded.reshape(*waveform.shape[:-1], frames, hop).transpose(-1, -2)


@singledispatch
def build_rows(front_end: FrontEnd, frames: int | None = None) -> nn.Module:
    """Return the module that makes the rows of a front end: waveform [n, samples] -> [n, rows, t]."""
    raise NotImplementedError(f"no module is known for {type(front_end).__name__} and {frames}")


@build_rows.register
def _(front_end: front_ends.Mel, frames: int | None = None) -> nn.Module:
    return LogMel(front_end, frames)


@build_rows.register
def _(front_end: front_ends.Waveform, frames: int | None = None) -> nn.Module:
    return Samples(front_end, frames)


@build_rows.register
def _(front_end: front_ends.Mfcc, frames: int | None = None) -> nn.Module:
    return MelCoefficients(front_end, frames)


class Normalisation(nn.Module):
    """Scales every band to mean 0 and deviation 1, as measured on the training clips: [n, 1, f, t] -> the same."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: NDArray[np.float32], deviation: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).reshape(-1, 1))

    def on(self, device: torch.device) -> "Normalisation":
        """Return the same on another device; this one stays where it is."""
        return self if device.type == "cpu" else Normalisation(self.mean.numpy(), self.deviation.numpy()).to(device)

    def forward(self, features: Tensor) -> Tensor:
        """Return normalised log-mel."""
        return (features - self.mean) / self.deviation


@dataclass(frozen=True, slots=True)
class FeaturePack:
    """The frames of a corpus, one clip after the other in one file that all workers map.

    Row 0 of ``frames()`` is silence; clip i holds rows ``starts[i]`` to ``starts[i] + lengths[i]``.
    """

    folder: Path
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]

    @property
    def content(self) -> str:
        """Digest of the corpus's content and the front end."""
        return self.folder.name

    def frames(self) -> NDArray[np.float16]:
        """Return all frames [rows, f], mapped read-only."""
        return _mapped(self.folder / "frames.npy")

    @classmethod
    def open(cls, folder: Path) -> "FeaturePack":
        """Open a pack that `build_pack` made."""
        lengths = np.load(folder / "lengths.npy")
        starts = 1 + np.concatenate([[0], np.cumsum(lengths[:-1], dtype=np.int64)])
        return cls(folder, starts, lengths)


@lru_cache(_MAPPED_PACKS)
def _mapped(path: Path) -> NDArray[np.float16]:
    """Map the rows of a pack, which never changes, once: a new mapping takes a page fault for every page."""
    return np.load(path, mmap_mode="r").view(np.ndarray)  # type: ignore[no-any-return]


def build_pack(
    corpus: Corpus,
    fingerprint: str,
    front_end: FrontEnd,
    cache: Path,
    progress: Callable[[float], None] = lambda fraction: None,
) -> FeaturePack:
    """Return the corpus's features: from the cache if it has them, otherwise computed and kept for next time.

    The folder's name is a digest of the audio's content and the front end. A pack appears whole or not at all.

    Raises:
        InvalidInput: clips that can't be read, each named.
        Unavailable: the cache can't be written.
    """
    name = hashlib.sha256(json.dumps([_PACK_FORMAT, fingerprint, asdict(front_end)]).encode()).hexdigest()[:32]
    folder = cache / name
    if not folder.exists():
        try:
            sweep_unfinished(cache)
            with unfinished(folder) as building:
                _write_pack(corpus, front_end, building, progress)
                building.rename(folder)
        except OSError as error:
            if not folder.exists():  # otherwise another process was faster
                raise Unavailable(f"features of {corpus.name} could not be written to {cache}: {error}") from error
    return FeaturePack.open(folder)


def _write_pack(corpus: Corpus, front_end: FrontEnd, folder: Path, progress: Callable[[float], None]) -> None:
    lengths = np.zeros(len(corpus.paths), np.int32)
    raw = folder / "frames.raw"
    with raw.open("wb") as file:
        file.write(_silence(front_end).tobytes())
        for clip, frames in enumerate(_clip_frames(corpus, front_end)):
            lengths[clip] = len(frames)
            file.write(frames.tobytes())
            progress((clip + 1) / len(lengths))
    _as_npy(raw, folder / "frames.npy", (1 + int(lengths.sum(dtype=np.int64)), front_end.rows))
    np.save(folder / "lengths.npy", lengths)


def _silence(front_end: FrontEnd) -> NDArray[np.float16]:
    """Return the row of a frame of pure silence."""
    row: NDArray[np.float16] = build_rows(front_end)(torch.zeros(front_end.hop))[:, 0].numpy().astype(np.float16)
    return row


def _clip_frames(corpus: Corpus, front_end: FrontEnd) -> Iterator[NDArray[np.float16]]:
    """Yield the rows [t, f] of each clip in turn; clips that can't be read are reported together at the end."""
    rows = build_rows(front_end)
    faults: list[Fault] = []
    for clip in range(len(corpus)):
        try:
            waveform = torch.from_numpy(read_audio(corpus.audio(clip), front_end.sample_rate))
        except InvalidInput as error:  # go on, to report all of them at once
            faults.extend(Fault(f"{corpus.name}: {fault.where}", fault.message) for fault in error.faults)
            continue
        frames: NDArray[np.float16] = rows(waveform).T.numpy().astype(np.float16, order="C")
        yield frames
    if faults:
        raise InvalidInput(faults)


def _as_npy(raw: Path, target: Path, shape: tuple[int, int]) -> None:
    """Turn raw float16 rows into a .npy file without holding them in memory."""
    with target.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})
        with raw.open("rb") as source:
            shutil.copyfileobj(source, file, 1 << 20)
    raw.unlink()


def measure_normalisation(
    parts: Sequence[tuple[FeaturePack, NDArray[np.int32]]], has_bands: bool = True
) -> Normalisation:
    """Return mean and deviation of every band over the given clips of the given packs.

    Of rows that are no bands: mean 0, so that silence stays 0, and the root mean square of all numbers.
    """
    count, total, squares = 0, 0.0, 0.0
    for pack, clips in parts:
        frames = pack.frames()
        for clip in clips:
            rows = frames[pack.starts[clip] : pack.starts[clip] + pack.lengths[clip]].astype(np.float64)
            count, total, squares = count + len(rows), total + rows.sum(0), squares + (rows**2).sum(0)
    if not has_bands:
        loudness = np.sqrt(np.maximum(np.mean(squares, keepdims=True) / count, 1e-10))
        return Normalisation(np.zeros(1, np.float32), loudness.astype(np.float32))
    mean = np.asarray(total / count)
    deviation = np.sqrt(np.maximum(np.asarray(squares / count) - mean**2, 1e-4))
    return Normalisation(mean.astype(np.float32), deviation.astype(np.float32))
