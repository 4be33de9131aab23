"""The digest of a training changes with everything that decides its result, and with nothing else."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taskgraft.evaluators import digest
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.digest import training_digest
from taskgraft.evaluators.features import Normalisation
from taskgraft.evaluators.kinds.clip import ClipLabels
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.precision import has_bfloat16
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import label_values, load_tones, write_tones

PAIR = BranchTree.flat(["pitch", "shape"], 4, 8)
RECIPE = {"epochs": 5, "batch_size": 8, "learning_rate": 0.001, "masking": 0.15}
REFERENCES = {"pitch": 0.9, "shape": 0.875}


def make(data: StudyData, tree: BranchTree = PAIR, **more: Any) -> str:
    known: dict[str, Any] = {"recipe": RECIPE, "seed": 3, "references": REFERENCES}
    return training_digest(tree, data, **{**known, **more})


def with_task(data: StudyData, name: str, **changes: Any) -> StudyData:
    task = dataclasses.replace(data.tasks[name], **changes)
    return dataclasses.replace(data, tasks={**data.tasks, name: task})


def moved(task: TaskData, split: Split) -> dict[str, Any]:
    return {"clips": {**task.clips, split: task.clips[split][1:]}}


def shifted(before: Normalisation) -> Normalisation:
    return Normalisation(before.mean.flatten().numpy() + np.float32(1e-6), before.deviation.flatten().numpy())


CHANGES: dict[str, Callable[[StudyData], str]] = {
    "tree": lambda data: make(data, BranchTree.flat(["pitch", "shape"], 5, 8)),
    "order of tasks": lambda data: make(data, BranchTree.flat(["shape", "pitch"], 4, 8)),
    "one task": lambda data: make(data, BranchTree.flat(["pitch"], 8, 8), references={}),
    "seed": lambda data: make(data, seed=4),
    "recipe": lambda data: make(data, recipe={**RECIPE, "masking": 0.1}),
    "algorithm": lambda data: make(data, recipe={**RECIPE, "algorithm": "hard"}),
    "references": lambda data: make(data, references={**REFERENCES, "pitch": np.nextafter(0.9, 1)}),
    "no references": lambda data: make(data, references={}),
    "affinities": lambda data: make(data, with_affinities=True),
    "metric": lambda data: make(with_task(data, "pitch", metric="macro_f1")),
    "labels": lambda data: make(with_task(data, "pitch", labels=("high", "other"))),
    "targets": lambda data: make(with_task(data, "pitch", targets=ClipLabels(1 - label_values(data, "pitch")))),
    "class weights": lambda data: make(with_task(data, "shape", class_weights=np.array([1, 2], np.float32))),
    "train clips": lambda data: make(with_task(data, "shape", **moved(data.tasks["shape"], Split.TRAIN))),
    "validation clips": lambda data: make(with_task(data, "shape", **moved(data.tasks["shape"], Split.VALIDATION))),
    "crop": lambda data: make(dataclasses.replace(data, crop=data.crop + data.template.time_stride)),
    "normalisation": lambda data: make(dataclasses.replace(data, normalisation=shifted(data.normalisation))),
    "template": lambda data: make(
        dataclasses.replace(data, template=dataclasses.replace(data.template, blocks=data.template.blocks[:-1] * 1))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_thing_that_decides_the_result_changes_the_digest(tone_data: StudyData, change: str) -> None:
    assert CHANGES[change](tone_data) != make(tone_data)
    assert len(make(tone_data)) == 64


def test_other_clips_in_the_corpus_change_it_and_another_place_does_not(tone_data: StudyData, tmp_path: Path) -> None:
    def of(folder: str, seed: int) -> str:
        manifests = {folder: write_tones(tmp_path / folder, 24, seed=seed)}
        tasks = [("pitch", folder, "pitch"), ("shape", folder, "shape")]
        return make(load_tones(manifests, tasks, tmp_path / f"cache of {folder}"))

    assert of("a", 5) == of("b", 5) != of("c", 6)


def test_tasks_that_the_tree_does_not_have_change_nothing_of_their_own(tone_data: StudyData) -> None:
    tasks = {name: task for name, task in tone_data.tasks.items() if name != "tone"}
    assert make(dataclasses.replace(tone_data, tasks=tasks)) == make(tone_data)


@pytest.mark.parametrize("what", ["version", "torch", "numpy", "instructions", "bfloat16"])
def test_code_libraries_and_processor_change_it(
    tone_data: StudyData, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    before = make(tone_data)
    if what == "version":
        monkeypatch.setattr(digest, "TRAINING_VERSION", 10_000)
    elif what == "torch":
        monkeypatch.setattr(torch, "__version__", "2.99.0")
    elif what == "numpy":
        monkeypatch.setattr(np, "__version__", "9.9.9")
    elif what == "instructions":
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "SSE 1")
    else:
        known = has_bfloat16()
        monkeypatch.setattr(digest, "has_bfloat16", lambda: not known)
    assert make(tone_data) != before
