"""Which clips a step trains on, and how rows of the mapped packs become a batch. No Python work per clip.

Notation: ``n`` clips of a batch, ``f`` bands, ``t`` frames of a crop.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.features import FeaturePack
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.pools import Pool, by_corpus
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.windows import cut_windows


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

    def joined(self, more: "Crops") -> "Crops":
        """Return these and more of the same corpus."""
        return Crops(np.concatenate([self.clips, more.clips]), np.concatenate([self.offsets, more.offsets]))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A step's input: features [n, 1, f, t] (not normalised) of all corpora, and each task's rows and targets.

    Targets are those of each task's kind: [rows] for clip tasks and [rows, s] for frames tasks, `MISSING` where there
    is no label.
    ``inside`` [n, t] are the frames of the clips, without the silence around them.
    """

    features: Tensor
    rows: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]
    inside: Tensor

    def on(self, device: torch.device) -> "Batch":
        """Return the batch on a device; a GPU copies it from pinned memory while this process goes on."""
        if device.type == self.features.device.type:
            return self
        moved: dict[int, Tensor] = {}

        def move(tensor: Tensor) -> Tensor:
            """Move each tensor once: the model sees that tasks share their rows by the object."""
            if id(tensor) not in moved:
                source = tensor.pin_memory() if device.type == "cuda" else tensor
                moved[id(tensor)] = source.to(device, non_blocking=True)
            return moved[id(tensor)]

        rows = {name: move(tensor) for name, tensor in self.rows.items()}
        targets = {name: move(tensor) for name, tensor in self.targets.items()}
        return Batch(move(self.features), rows, targets, move(self.inside))


def assemble(data: StudyData, tasks: Sequence[TaskData], crops: Mapping[str, Crops]) -> Batch:
    """Gather the crops of each corpus and the targets of each task into one batch."""
    parts, inside, rows, targets, first = [], [], {}, {}, 0
    for corpus, cut in crops.items():
        picked = cut.rows(data.packs[corpus], data.crop)
        parts.append(data.packs[corpus].frames()[picked])
        inside.append(picked > 0)
        present = torch.arange(first, first + len(picked))  # one object for all tasks: shared blocks see it is the same
        for task in tasks:
            if task.corpus == corpus:
                rows[task.task.name] = present
                # A time step of the heads is centred on the first frame of its stride.
                labels = task.targets.pick(cut.clips, picked[:, :: data.template.time_stride])
                targets[task.task.name] = torch.from_numpy(labels)
        first += len(picked)
    features = torch.from_numpy(np.concatenate(parts)).float()  # [n, t, f]
    return Batch(features.transpose(1, 2).unsqueeze(1), rows, targets, torch.from_numpy(np.concatenate(inside)))


@dataclass(frozen=True, slots=True, eq=False)
class BatchPosition:
    """Where batches go on: the state of numpy's generator, and the clips of each pool drawn but not yet used."""

    generator: Mapping[str, Any]
    left: Mapping[str, NDArray[np.int32]]


class TrainBatches(Iterator[Batch]):
    """Training batches without end: ``batch_size`` clips of every corpus a step, each corpus reshuffled when used up.

    With ``pools``, by name, these say how many clips of which are drawn; each is reshuffled when used up.

    Crops of long clips start anywhere; short clips stand anywhere within their crop. With ``shift``, crops then move by
    up to so many frames, and by no more than half of what they hold of their clip; silence comes in from outside.
    """

    def __init__(
        self,
        data: StudyData,
        tasks: Sequence[TaskData],
        batch_size: int,
        generator: np.random.Generator,
        shift: int = 0,
        pools: Mapping[str, Pool] | None = None,
    ) -> None:
        self._data = data
        self._tasks = tasks
        self._generator = generator
        self._shift = shift
        self.pools = by_corpus(tasks, batch_size) if pools is None else pools
        self._left = {name: pool.clips[:0] for name, pool in self.pools.items()}

    def __next__(self) -> Batch:
        return self.draw(self.pools, self._tasks)

    def draw(self, pools: Iterable[str], tasks: Sequence[TaskData]) -> Batch:
        """Return clips of some pools only, for some tasks only."""
        crops: dict[str, Crops] = {}
        for name in pools:
            pool = self.pools[name]
            cut = self._cut(pool.corpus, self._draw(name))
            crops[pool.corpus] = crops[pool.corpus].joined(cut) if pool.corpus in crops else cut
        return assemble(self._data, tasks, crops)

    def _cut(self, corpus: str, clips: NDArray[np.int32]) -> Crops:
        lengths = self._data.packs[corpus].lengths[clips].astype(np.int64)
        spare = lengths - self._data.crop
        offsets = np.where(spare > 0, 1, -1) * self._generator.integers(0, np.abs(spare) + 1)
        if self._shift:
            most = np.minimum(self._shift, np.minimum(lengths, self._data.crop) // 2)
            offsets += self._generator.integers(-most, most + 1)
        return Crops(clips, offsets)

    def _draw(self, name: str) -> NDArray[np.int32]:
        """Return clips in random order; what is left at the end of a pass goes before the next pass."""
        left, pool = self._left[name], self.pools[name]
        while len(left) < pool.size:
            left = np.concatenate([left, self._generator.permutation(pool.clips)])
        self._left[name] = left[pool.size :]
        return left[: pool.size]

    @property
    def position(self) -> BatchPosition:
        """Where the next batch begins."""
        return BatchPosition(self._generator.bit_generator.state, dict(self._left))

    def go_on_at(self, position: BatchPosition) -> None:
        """Give the batches that `position` was followed by; no features are read for it.

        Raises:
            ValueError: the position is not one of these batches.
        """
        if position.left.keys() != self.pools.keys():
            raise ValueError("a position is one in each pool of clips")
        for name, left in position.left.items():
            if not np.isin(left, self.pools[name].clips).all():
                raise ValueError(f"{name} has no such training clips")
        self._generator.bit_generator.state = position.generator
        self._left = dict(position.left)


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
