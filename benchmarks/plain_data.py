"""What a plain PyTorch program reads: recordings from disk, each time anew, features made in the data loader.

Notation: ``n`` clips or windows, ``f`` bands, ``t`` frames of a crop, ``s`` time steps.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from taskgraft.evaluators._torchaudio import torchaudio
from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.features import SILENCE, build_rows
from taskgraft.evaluators.kinds.clip import ClipTargets
from taskgraft.evaluators.kinds.frames import FrameTargets
from taskgraft.evaluators.labelled import LabelledTask
from taskgraft.evaluators.windows import cut_windows
from taskgraft.space.front_ends import FrontEnd
from taskgraft.space.template import Template

Item = tuple[Tensor, dict[str, Tensor]]
"""Log-mel [1, f, t] of one crop, and the target of each task: [] for clip tasks, [s] for frames tasks."""


@dataclass(frozen=True, slots=True, eq=False)
class Recordings:
    """The recordings of one corpus; ``lengths`` are in log-mel frames, ``rates`` in hertz."""

    paths: tuple[str, ...]
    rates: tuple[int, ...]
    lengths: NDArray[np.int32]
    splits: NDArray[np.str_]

    @classmethod
    def of(cls, corpus: Corpus, front_end: FrontEnd) -> "Recordings":
        """Read every recording's header."""
        paths = tuple(str(corpus.audio(clip)) for clip in range(len(corpus)))
        headers = [soundfile.info(path) for path in paths]
        samples = [math.ceil(header.frames * front_end.sample_rate / header.samplerate) for header in headers]
        lengths = np.array([front_end.frames(count) for count in samples], np.int32)
        rates = tuple(int(header.samplerate) for header in headers)
        return cls(paths, rates, lengths, np.array([split.value for split in corpus.splits], np.str_))

    def read(self, clip: int, front_end: FrontEnd, start: int = 0, frames: int | None = None) -> Tensor:
        """Return a waveform [samples] at the front end's rate: ``frames`` log-mel frames, or all, from ``start`` on."""
        rate, seconds = self.rates[clip], front_end.hop / front_end.sample_rate
        count = -1 if frames is None else math.ceil(frames * seconds * rate)
        first = round(start * seconds * rate)
        sound, _ = soundfile.read(self.paths[clip], count, first, dtype="float32", always_2d=True)
        mono = torch.from_numpy(sound.mean(axis=1))
        resampled: Tensor = _resampler(rate, front_end.sample_rate)(mono)
        return resampled


@cache
def _resampler(rate: int, wanted: int) -> torch.nn.Module:
    """Return the resampler of a rate, made once: making the kernel costs more than using it."""
    made: torch.nn.Module = torchaudio.transforms.Resample(rate, wanted)
    return made


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One task's labels: of every clip, one class [] (``steps`` false) or one answer per log-mel frame [frames]."""

    steps: bool
    values: tuple[NDArray[np.int64] | None, ...]
    """None where a clip has no label."""

    @classmethod
    def of(cls, task: LabelledTask, lengths: NDArray[np.int32], per_second: float) -> "Labels":
        """Return labels as a study has them, written out."""
        targets = task.targets
        if isinstance(targets, ClipTargets):
            return cls(False, tuple(None if one == MISSING else np.array(one) for one in targets.values))
        assert isinstance(targets, FrameTargets), "the plain program knows classes and events"
        written = [
            _presence(regions, int(length), per_second) if labelled else None
            for regions, length, labelled in zip(targets.regions, lengths, targets.labelled, strict=True)
        ]
        return cls(True, tuple(written))

    def clips(self) -> NDArray[np.int64]:
        """Return clips that have a label, ascending."""
        return np.flatnonzero([value is not None for value in self.values])

    def target(self, clip: int, start: int, crop: int, stride: int) -> Tensor:
        """Return the target of a crop: `MISSING` without a label, and outside the clip."""
        value = self.values[clip]
        if not self.steps:
            return torch.tensor(MISSING if value is None else int(value))
        places = start + np.arange(0, crop, stride)
        inside = (places >= 0) & (places < (0 if value is None else len(value)))
        found = np.full(len(places), MISSING, np.int64)
        if value is not None:
            found[inside] = value[places[inside]]
        return torch.from_numpy(found)


def _presence(regions: Sequence[tuple[float, float]], length: int, per_second: float) -> NDArray[np.int64]:
    centres = np.arange(length) / per_second
    sounding = np.zeros(length, np.int64)
    for onset, offset in regions:
        sounding[(centres >= onset) & (centres < offset)] = 1
    return sounding


class TrainingClips(Dataset[Item]):
    """Random crops of one corpus's training clips."""

    def __init__(self, recordings: Recordings, labels: Mapping[str, Labels], template: Template, crop: int) -> None:
        self._recordings, self._labels, self._template, self._crop = recordings, labels, template, crop
        self._log_mel = build_rows(template.front_end, crop)
        self._clips = labelled_clips(recordings, labels, Split.TRAIN)

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> Item:
        """Return a crop. Only the part of the recording that it needs is read."""
        clip, front_end = int(self._clips[index]), self._template.front_end
        spare = int(self._recordings.lengths[clip]) - self._crop
        start = int(torch.randint(abs(spare) + 1, ())) * (1 if spare > 0 else -1)
        waveform = self._recordings.read(clip, front_end, max(0, start), self._crop)
        wanted = self._crop * front_end.hop
        padded = torch.nn.functional.pad(waveform, (max(0, -start) * front_end.hop, wanted))[:wanted]
        stride = self._template.time_stride
        targets = {name: one.target(clip, start, self._crop, stride) for name, one in self._labels.items()}
        return self._log_mel(padded).unsqueeze(0), targets


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Clips cut into windows: features [n, 1, f, t], targets, the clip of each row [n], which steps are new [n, s]."""

    features: Tensor
    targets: Mapping[str, Tensor]
    clips: Tensor
    fresh: Tensor


class WholeClips(Dataset[Windows]):
    """One corpus's clips of a split, whole: each in as many windows as it takes."""

    def __init__(
        self, recordings: Recordings, labels: Mapping[str, Labels], template: Template, crop: int, split: Split
    ) -> None:
        self._recordings, self._labels, self._template, self._crop = recordings, labels, template, crop
        self._log_mel = build_rows(template.front_end)
        self._clips = labelled_clips(recordings, labels, split)

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> Windows:
        """Return the windows of one clip."""
        clip, stride, crop = int(self._clips[index]), self._template.time_stride, self._crop
        features = self._log_mel(self._recordings.read(clip, self._template.front_end))  # [f, frames]
        cut = cut_windows(np.array([features.shape[1]], np.int32), crop, stride)
        padded = torch.nn.functional.pad(features, (0, crop + stride), value=SILENCE)
        windows = torch.stack([padded[:, start : start + crop] for start in cut.starts.tolist()]).unsqueeze(1)
        targets = {
            name: torch.stack([labels.target(clip, start, crop, stride) for start in cut.starts.tolist()])
            for name, labels in self._labels.items()
        }
        fresh = torch.from_numpy(np.arange(0, crop, stride)[None, :] >= cut.stale[:, None])
        return Windows(windows, targets, torch.full((len(windows),), clip), fresh)


def side_by_side(parts: Sequence[Windows]) -> Windows:
    """Return the windows of several clips, one after the other."""
    names = parts[0].targets
    return Windows(
        torch.cat([part.features for part in parts]),
        {name: torch.cat([part.targets[name] for part in parts]) for name in names},
        torch.cat([part.clips for part in parts]),
        torch.cat([part.fresh for part in parts]),
    )


def labelled_clips(recordings: Recordings, labels: Mapping[str, Labels], split: Split) -> NDArray[np.int64]:
    """Return clips of a split that have a label of any of the tasks, ascending."""
    having = np.unique(np.concatenate([one.clips() for one in labels.values()]))
    found: NDArray[np.int64] = having[recordings.splits[having] == split.value]
    return found


class EndlessShuffle(Sampler[int]):
    """Pass after pass over so many clips, each in another order."""

    def __init__(self, clips: int, generator: torch.Generator) -> None:
        self._clips, self._generator = clips, generator

    def __iter__(self) -> Iterator[int]:
        while True:
            yield from torch.randperm(self._clips, generator=self._generator).tolist()
