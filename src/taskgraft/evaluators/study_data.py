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

from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.features import FeaturePack, Normalisation, build_pack, measure_normalisation
from taskgraft.evaluators.inputs import build_input
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.labelled import LabelledTask
from taskgraft.evaluators.optimisation.class_weights import ClassWeights
from taskgraft.space.template import Template

_FITTING = 0.95
_MAX_CROP_SECONDS = 4.0
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, eq=False)
class StudyData:
    """All that a worker needs to train any tree of a study. Pickles small: features stay in their mapped files."""

    template: Template
    packs: Mapping[str, FeaturePack]
    tasks: Mapping[str, TaskData]
    normalisation: Normalisation
    crop: int
    """Frames of a training crop: a multiple of the template's time stride."""
    nuisance: TaskData | None = None
    """A label that is no task, which models are trained against."""

    def weighing_classes(self, rule: ClassWeights) -> Self:
        """Return the same data, the classes of every task weighed by a rule."""
        tasks = {name: _weighed(task, rule, self.packs[task.corpus]) for name, task in self.tasks.items()}
        return replace(self, tasks=tasks)

    def behind(self, template: Template) -> Self:
        """Return the same data for another template, which has the same front end and time steps."""
        return replace(self, template=template)

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


def _weighed(task: TaskData, rule: ClassWeights, pack: FeaturePack) -> TaskData:
    kind, classes = KINDS[task.task.kind], task.task.classes
    if not rule.balance(task.metric):
        return replace(task, class_weights=kind.even_weights(classes))
    return replace(task, class_weights=kind.balanced_weights(task.targets, classes, task.clips[Split.TRAIN], pack))


def _task_data(labelled: LabelledTask, splits: NDArray[np.str_], pack: FeaturePack, template: Template) -> TaskData:
    """Return a task whose labels all count the same."""
    task, kind, targets = labelled.task, KINDS[labelled.task.kind], labelled.targets
    usable = {split: targets.learnable if split is Split.TRAIN else targets.labelled for split in Split}
    clips = {split: np.flatnonzero(usable[split] & (splits == split.value)).astype(np.int32) for split in Split}
    unlabelled = np.flatnonzero(~targets.learnable & (splits == Split.TRAIN.value)).astype(np.int32)
    labels = kind.arrays(targets, pack, template)
    weights = kind.even_weights(task.classes)
    return TaskData(task, labelled.corpus, labelled.metric, targets.label_set, labels, clips, weights, unlabelled)


def load_study_data(
    corpora: Mapping[str, Corpus],
    fingerprints: Mapping[str, str],
    tasks: Sequence[LabelledTask],
    template: Template,
    cache: Path,
    clip_seconds: float | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
    class_weights: ClassWeights = ClassWeights.AUTO,
    nuisance: LabelledTask | None = None,
) -> StudyData:
    """Return everything that training needs: features (from the cache where they are there), targets, statistics.

    ``nuisance`` is a label that models are trained against. ``progress`` is told which share of all clips has its
    features, whenever one more corpus or clip has.

    Raises:
        InvalidInput: clips that can't be read, each named.
        Unavailable: the cache can't be written.
    """
    packs = _packs(corpora, fingerprints, template, cache, progress)

    def read(labelled: LabelledTask) -> TaskData:
        splits = np.array(corpora[labelled.corpus].splits, np.str_)
        return _task_data(labelled, splits, packs[labelled.corpus], template)

    data = {labelled.task.name: read(labelled) for labelled in tasks}
    train = [
        (pack, np.unique(np.concatenate([task.clips[Split.TRAIN] for task in data.values() if task.corpus == name])))
        for name, pack in packs.items()
    ]
    crop = _crop(template, [pack.lengths[clips] for pack, clips in train], clip_seconds)
    normalisation = measure_normalisation(train, template.front_end.has_bands)
    against = read(nuisance) if nuisance else None
    return StudyData(template, packs, data, normalisation, crop, against).weighing_classes(class_weights)


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
