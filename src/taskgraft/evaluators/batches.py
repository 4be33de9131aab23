"""Which clips a step trains on, and how rows of the mapped packs become a batch. No Python work per clip.

Notation: ``n`` clips of a batch, ``f`` bands, ``t`` frames of a crop.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.features import FeaturePack
from taskgraft.evaluators.study_data import StudyData, TaskData
from taskgraft.evaluators.windows import cut_windows
from taskgraft.space.tasks import TaskKind


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Cut-outs of one corpus: clip, and the frame of the clip that the crop starts at (negative: silence first)."""

    clips: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def rows(self, pack: FeaturePack, length: int) -> NDArray[np.int64]:
        """Rows [n, t] of the pack; 0, which is silence, outside the clip."""
        places = self.offsets[:, None] + np.arange(length)
        inside = (places >= 0) & (places < pack.lengths[self.clips][:, None])
        return np.where(inside, pack.starts[self.clips][:, None] + places, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A step's input: features [n, 1, f, t] (not normalised) of all corpora, and each task's rows and targets.

    Targets are [rows] for clip tasks and [rows, s] for frames tasks, `MISSING` where there is no label.
    """

    features: Tensor
    rows: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]


def assemble(data: StudyData, tasks: Sequence[TaskData], crops: Mapping[str, Crops]) -> Batch:
    """Gather the crops of each corpus and the targets of each task into one batch."""
    parts, rows, targets, first = [], {}, {}, 0
    for corpus, cut in crops.items():
        picked = cut.rows(data.packs[corpus], data.crop)
        parts.append(data.packs[corpus].frames()[picked])
        present = torch.arange(first, first + len(picked))  # one object for all tasks: shared blocks see it is the same
        for task in tasks:
            if task.corpus == corpus:
                rows[task.task.name] = present
                targets[task.task.name] = torch.from_numpy(_targets(task, cut, picked, data).astype(np.int64))
        first += len(picked)
    features = torch.from_numpy(np.concatenate(parts)).float()  # [n, t, f]
    return Batch(features.transpose(1, 2).unsqueeze(1), rows, targets)


def _targets(task: TaskData, crops: Crops, rows: NDArray[np.int64], data: StudyData) -> NDArray[np.int16]:
    if task.task.kind is TaskKind.CLIP:
        return task.targets[crops.clips]
    # A time step of the heads is centred on the first frame of its stride.
    return task.targets[rows[:, :: data.template.time_stride]]


def train_batches(
    data: StudyData, tasks: Sequence[TaskData], batch_size: int, generator: np.random.Generator
) -> Iterator[Batch]:
    """Training batches without end: ``batch_size`` clips of every corpus a step, each corpus reshuffled when used up.

    Crops of long clips start anywhere; short clips stand anywhere within their crop.
    """
    labelled = {
        corpus: np.unique(np.concatenate([task.clips[Split.TRAIN] for task in tasks if task.corpus == corpus]))
        for corpus in {task.corpus: None for task in tasks}
    }
    streams = {corpus: _shuffled(clips, batch_size, generator) for corpus, clips in labelled.items()}
    while True:
        crops = {}
        for corpus, stream in streams.items():
            clips = next(stream)
            spare = data.packs[corpus].lengths[clips].astype(np.int64) - data.crop
            offsets = np.where(spare > 0, 1, -1) * generator.integers(0, np.abs(spare) + 1)
            crops[corpus] = Crops(clips, offsets)
        yield assemble(data, tasks, crops)


def _shuffled(clips: NDArray[np.int32], size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int32]]:
    """Clips in random order, ``size`` at a time; what is left at the end of a pass goes before the next pass."""
    left = clips[:0]
    while True:
        while len(left) < size:
            left = np.concatenate([left, generator.permutation(clips)])
        yield left[:size]
        left = left[size:]


def evaluation_batches(
    data: StudyData, tasks: Sequence[TaskData], split: Split, size: int = 64
) -> Iterator[tuple[Batch, NDArray[np.int32], Tensor]]:
    """Every labelled clip of a split in windows: (batch of one corpus, clip of each row, fresh time steps [n, s]).

    ``size`` windows a batch: activations of more than 64 leave the cache, and their memory goes back and forth between
    process and kernel, which makes evaluation half as long again.
    """
    stride = data.template.time_stride
    for corpus in {task.corpus: None for task in tasks}:
        of_corpus = [task for task in tasks if task.corpus == corpus]
        clips = np.unique(np.concatenate([task.clips[split] for task in of_corpus]))
        cut = cut_windows(data.packs[corpus].lengths[clips], data.crop, stride)
        for first in range(0, len(cut.places), size):
            part = slice(first, first + size)
            crops = Crops(clips[cut.places[part]], cut.starts[part])
            fresh = np.arange(0, data.crop, stride)[None, :] >= cut.stale[part][:, None]
            yield assemble(data, of_corpus, {corpus: crops}), crops.clips, torch.from_numpy(fresh)
