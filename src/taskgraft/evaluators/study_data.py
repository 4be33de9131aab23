"""The data of a study as training sees it: features of every corpus, targets of every task, no files of audio left."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

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
from taskgraft.evaluators.optimisation.class_weights import ClassWeights, weigh_classes
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Template

_FITTING = 0.95
_MAX_CROP_SECONDS = 4.0
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, eq=False)
class TaskData:
    """A task with its labels.

    ``targets`` are classes per clip [clips], or per row of the corpus's feature pack [rows] for ``frames`` tasks;
    `MISSING` where there is no label. ``clips`` are the labelled clips of each split, ascending. ``class_weights`` [k]
    say how much each class counts in the loss.
    """

    task: Task
    corpus: str
    metric: str
    labels: tuple[str, ...]
    targets: NDArray[np.int16]
    clips: Mapping[Split, NDArray[np.int32]]
    class_weights: NDArray[np.float32]

    def weighing_classes(self, rule: ClassWeights, pack: FeaturePack) -> Self:
        """Return the task with the class weights of a rule; ``pack`` has the features of its corpus."""
        weights = weigh_classes(rule, self.metric, self._training_labels(pack), self.task.classes)
        return replace(self, class_weights=weights)

    def _training_labels(self, pack: FeaturePack) -> NDArray[np.int16]:
        """Return all labels of the training split: of clips, or of frames."""
        train = self.clips[Split.TRAIN]
        if self.task.kind is TaskKind.CLIP:
            return self.targets[train]
        return np.concatenate([self.targets[pack.starts[clip] :][: pack.lengths[clip]] for clip in train])


@dataclass(frozen=True, slots=True, eq=False)
class StudyData:
    """All that a worker needs to train any tree of a study. Pickles small: features stay in their mapped files."""

    template: Template
    packs: Mapping[str, FeaturePack]
    tasks: Mapping[str, TaskData]
    normalisation: Normalisation
    crop: int
    """Log-mel frames of a training crop: a multiple of the template's time stride."""

    def weighing_classes(self, rule: ClassWeights) -> Self:
        """Return the same data, the classes of every task weighed by a rule."""
        tasks = {name: task.weighing_classes(rule, self.packs[task.corpus]) for name, task in self.tasks.items()}
        return replace(self, tasks=tasks)

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
    """Return a task whose labels all count the same."""
    targets = labelled.targets
    clips = {split: np.flatnonzero(targets.labelled & (splits == split.value)).astype(np.int32) for split in Split}
    if isinstance(targets, FrameTargets):
        values = _frame_targets(pack, template, targets)
    else:
        values = targets.values.astype(np.int16)
    weights = np.ones(labelled.task.classes, np.float32)
    return TaskData(labelled.task, labelled.corpus, labelled.metric, targets.label_set, values, clips, weights)


def load_study_data(
    corpora: Mapping[str, Corpus],
    fingerprints: Mapping[str, str],
    tasks: Sequence[LabelledTask],
    template: Template,
    cache: Path,
    clip_seconds: float | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
    class_weights: ClassWeights = ClassWeights.AUTO,
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
    return StudyData(template, packs, data, measure_normalisation(train), crop).weighing_classes(class_weights)


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
