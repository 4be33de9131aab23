"""The data of a study as training sees it: features of every corpus, targets of every task, no files of audio left."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from taskgraft.evaluators.datasets.labelled import LabelledTask
from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING, FrameTargets
from taskgraft.evaluators.features import FeaturePack, Normalisation, build_pack, measure_normalisation
from taskgraft.evaluators.inputs import build_input
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template

_MAX_CLASS_WEIGHT = 10.0
_FITTING = 0.95
_MAX_CROP_SECONDS = 4.0
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, eq=False)
class TaskData:
    """A task with its labels.

    ``targets`` are classes per clip [clips], or per row of the corpus's feature pack [rows] for ``frames`` tasks;
    `MISSING` where there is no label. ``clips`` are the labelled clips of each split, ascending. ``class_weights`` [k]
    make every class count the same in the loss, up to a factor of 10.
    """

    task: Task
    corpus: str
    metric: str
    labels: tuple[str, ...]
    targets: NDArray[np.int16]
    clips: Mapping[Split, NDArray[np.int32]]
    class_weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class StudyData:
    """All that a worker needs to train any tree of a study. Pickles small: features stay in their mapped files."""

    template: Template
    packs: Mapping[str, FeaturePack]
    tasks: Mapping[str, TaskData]
    normalisation: Normalisation
    crop: int
    """Frames of a training crop: a multiple of the template's time stride."""

    def input_module(self, device: torch.device = _CPU) -> nn.Module:
        """Return the module that makes the first block's input of a batch's features, on a device."""
        return build_input(self.template.front_end, self.normalisation.on(device))

    @property
    def epoch_clips(self) -> int:
        """Clips in the largest training split of the study: what one epoch goes through."""
        return max(
            len(np.unique(np.concatenate([t.clips[Split.TRAIN] for t in self.tasks.values() if t.corpus == corpus])))
            for corpus in self.packs
        )


def balanced_weights(labels: NDArray[np.int16], classes: int) -> NDArray[np.float32]:
    """Weight of each class, inverse to how often ``labels`` names it: mean 1 over the labels, none above 10."""
    frequencies = np.bincount(labels[labels != MISSING], minlength=classes).astype(np.float64)
    weights = frequencies.sum() / (classes * np.maximum(frequencies, 1))
    bounded: NDArray[np.float32] = np.minimum(weights, _MAX_CLASS_WEIGHT).astype(np.float32)
    return bounded


def _frame_targets(pack: FeaturePack, template: Template, targets: FrameTargets) -> NDArray[np.int16]:
    """Targets [rows] of a frames task: 1 where a frame's centre lies in a region, 0 elsewhere in annotated clips."""
    rows = np.full(1 + int(pack.lengths.sum(dtype=np.int64)), MISSING, np.int16)
    per_second = template.front_end.frames_per_second
    for clip in np.flatnonzero(targets.labelled):
        centres = np.arange(pack.lengths[clip]) / per_second
        inside = np.zeros(len(centres), np.int16)
        for onset, offset in targets.regions[clip]:
            inside[(centres >= onset) & (centres < offset)] = 1
        rows[pack.starts[clip] : pack.starts[clip] + len(inside)] = inside
    return rows


def _task_data(labelled: LabelledTask, splits: NDArray[np.str_], pack: FeaturePack, template: Template) -> TaskData:
    targets = labelled.targets
    clips = {split: np.flatnonzero(targets.labelled & (splits == split.value)).astype(np.int32) for split in Split}
    train = clips[Split.TRAIN]
    if isinstance(targets, FrameTargets):
        values = _frame_targets(pack, template, targets)
        seen = np.concatenate([values[pack.starts[clip] :][: pack.lengths[clip]] for clip in train])
    else:
        values = targets.values.astype(np.int16)
        seen = values[train]
    weights = balanced_weights(seen, labelled.task.classes)
    return TaskData(labelled.task, labelled.corpus, labelled.metric, targets.label_set, values, clips, weights)


def load_study_data(
    corpora: Mapping[str, Corpus],
    fingerprints: Mapping[str, str],
    tasks: Sequence[LabelledTask],
    template: Template,
    cache: Path,
    clip_seconds: float | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> StudyData:
    """Everything that training needs: features (from the cache where they are there), targets, statistics.

    ``progress`` is told which share of all clips has its features, whenever one more corpus or clip has.

    Raises:
        InvalidInput: clips that can't be read, each named.
        Unavailable: the cache can't be written.
    """
    packs = _packs(corpora, fingerprints, template, cache, progress)
    data = {
        labelled.task.name: _task_data(
            labelled, np.array(corpora[labelled.corpus].splits, np.str_), packs[labelled.corpus], template
        )
        for labelled in tasks
    }
    train = [
        (pack, np.unique(np.concatenate([task.clips[Split.TRAIN] for task in data.values() if task.corpus == name])))
        for name, pack in packs.items()
    ]
    crop = _crop(template, [pack.lengths[clips] for pack, clips in train], clip_seconds)
    normalisation = measure_normalisation(train, template.front_end.has_bands)
    return StudyData(template, packs, data, normalisation, crop)


def _packs(
    corpora: Mapping[str, Corpus],
    fingerprints: Mapping[str, str],
    template: Template,
    cache: Path,
    progress: Callable[[float], None],
) -> dict[str, FeaturePack]:
    packs: dict[str, FeaturePack] = {}
    clips, done = sum(map(len, corpora.values())), 0
    for name, corpus in corpora.items():
        part = _part_of(progress, done / clips, len(corpus) / clips)
        packs[name] = build_pack(corpus, fingerprints[name], template.front_end, cache, part)
        part(1.0)
        done += len(corpus)
    return packs


def _part_of(progress: Callable[[float], None], start: float, share: float) -> Callable[[float], None]:
    """Progress of a part, told as progress of the whole."""
    return lambda fraction: progress(start + fraction * share)


def _crop(template: Template, lengths: Sequence[NDArray[np.int32]], clip_seconds: float | None) -> int:
    """Return the length of a crop in frames.

    That is the only one that the front end takes; else what was asked for, or what 95 % of the clips of every corpus
    fit into, at most 4 s.
    """
    if template.front_end.crop:
        return template.front_end.crop
    per_second = template.front_end.frames_per_second
    longest = max(float(np.quantile(one, _FITTING)) for one in lengths)
    frames = clip_seconds * per_second if clip_seconds else min(longest, _MAX_CROP_SECONDS * per_second)
    return max(1, math.ceil(frames / template.time_stride)) * template.time_stride
