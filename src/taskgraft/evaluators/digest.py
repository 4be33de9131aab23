"""The digest of a training: equal digests mean equal results, bit for bit, as far as the training was taken."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.precision import has_bfloat16
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import TRAINING_VERSION
from taskgraft.space.tree import BranchTree

_USED = (Split.TRAIN, Split.VALIDATION)


def training_digest(
    tree: BranchTree,
    data: StudyData,
    recipe: Mapping[str, Any],
    seed: int,
    references: Mapping[str, float],
    *,
    with_affinities: bool = False,
    with_lookaheads: bool = False,
    with_unlabelled: bool = False,
) -> str:
    """Return the SHA-256, in hexadecimal, of everything that decides a training's result.

    That is the tree; of each of its tasks the name, kind, metric, labels, targets and class weights; the features of
    every corpus that it uses; the template, and what the study gives to all of its trainings (normalisation, crop,
    clips per epoch); ``recipe`` (plain data), seed and references; the version of the training code, the libraries that
    compute, and the instructions that they use on this processor. Clips without labels count if they are learned from
    (``with_unlabelled``).

    The stopping rule is left out: it says how far a training is taken, and nothing about the steps up to there. Neither
    does it matter what a dataset is called and where it lies.
    """
    tasks = [data.tasks[name] for name in tree.tasks]
    corpora = list(dict.fromkeys(task.corpus for task in tasks))
    decisive = {
        "version": TRAINING_VERSION,
        "computed by": _platform(),
        "tree": [tree.to_json(), tree.depth],
        "template": _template(data),
        "tasks": [_task(task, corpora.index(task.corpus)) + _named_head(task, data) for task in tasks],
        "features": [data.packs[corpus].content for corpus in corpora],
        "normalisation": [_digest(data.normalisation.mean.numpy()), _digest(data.normalisation.deviation.numpy())],
        "crop": data.crop,
        "epoch clips": data.epoch_clips,
        "recipe": dict(recipe),
        "seed": seed,
        "references": {name: references[name] for name in tree.tasks} if references else {},
        "affinities": with_affinities,
    } | ({"lookaheads": True} if with_lookaheads else {})
    if data.nuisance:
        corpus = data.nuisance.corpus
        decisive["nuisance"] = _task(data.nuisance, corpora.index(corpus)) if corpus in corpora else None
    if with_unlabelled:
        decisive["unlabelled"] = [_digest(task.unlabelled) for task in tasks]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _platform() -> dict[str, Any]:
    """Return what else changes bits: libraries round and draw alike within a version, on processors of one kind."""
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": has_bfloat16(),
    }


def _template(data: StudyData) -> list[Any]:
    template = data.template
    heads = {answer.value: [type(head).__name__, asdict(head)] for answer, head in template.heads.items()}
    gate = template.gate.to_plain()
    return [
        asdict(template.front_end),
        [block.to_plain() for block in template.blocks],
        heads,
        *([gate] if gate else []),
    ]


def _task(task: TaskData, corpus: int) -> list[Any]:
    return [
        task.task.name,
        task.task.kind.value,
        corpus,
        task.metric,
        list(task.labels),
        [_digest(part) for part in task.targets.parts()],
        _digest(task.class_weights),
        [_digest(task.clips[split]) for split in _USED],
    ]


def _named_head(task: TaskData, data: StudyData) -> list[Any]:
    """Return the head of a task that names one; what names none has the digest that it had before there were names."""
    if task.task.head is None:
        return []
    head = data.template.head(task.task)
    return [[type(head).__name__, asdict(head)]]


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(f"{array.dtype.str}{array.shape}".encode() + array.tobytes()).hexdigest()
