"""Tiny trainings by any algorithm."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.task_attention import TaskAttention
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.teachers import Teachers
from taskgraft.evaluators.training import Trainer, pack_weights
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import load_tones, write_tones

NAMES = ("pitch", "shape", "tone")
ALL = BranchTree.flat(NAMES, 6, 8)
WHOLE = BranchTree.flat(NAMES, 8, 8)
ALONE = BranchTree.flat(["pitch"], 8, 8)


def schedule_of(algorithm: Algorithm, epochs: int = 3, batch_size: int = 7) -> Schedule:
    return Schedule(epochs, batch_size, Optimisation(3e-3), algorithm=algorithm)


def trainer_of(
    algorithm: Algorithm,
    data: StudyData,
    tree: BranchTree = ALL,
    references: Mapping[str, float] | None = None,
    epochs: int = 3,
) -> Trainer:
    schedule = schedule_of(algorithm, epochs)
    return Trainer(tree, data, schedule, 3, references, teachers=teachers_of(algorithm, data, tree))


def teachers_of(algorithm: Algorithm, data: StudyData, tree: BranchTree) -> Teachers | None:
    """Models of one task each, which know nothing, if an algorithm needs teachers."""
    taught = algorithm.taught(tree.tasks)
    alone = {task: BranchTree.flat([task], tree.depth, tree.depth) for task in taught}
    models = {task: Trainer(one, data, schedule_of(algorithm), 9).model for task, one in alone.items()}
    return Teachers({task: pack_weights(model) for task, model in models.items()}) if models else None


def finish(trainer: Trainer) -> Measurement:
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("here")


def digest(measured: Measurement) -> str:
    assert measured.weights
    return hashlib.sha256(measured.weights).hexdigest()


def two_corpora(root: Path) -> StudyData:
    """Three tasks over two corpora; one has missing labels."""
    manifests = {"one": write_tones(root / "one"), "two": write_tones(root / "two", seed=1, unlabelled="shape")}
    tasks = [("pitch", "one", "pitch"), ("shape", "two", "shape"), ("tone", "two", "tone")]
    return load_tones(manifests, tasks, root / "cache")


def gated(data: StudyData, over: str = "step") -> StudyData:
    """The same data for models with gates."""
    return replace(data, template=TaskAttention(over).template(data.template))


def tensors_of(trainer: Trainer) -> dict[str, Tensor]:
    """Copies of all weights and running statistics but the counts of batches."""
    state = trainer.model.state_dict()
    return {name: tensor.clone() for name, tensor in state.items() if "num_batches" not in name}


def step(trainer: Trainer, count: int = 1) -> None:
    """Take steps without an evaluation after them."""
    trainer._steps.enter(trainer._step)
    for _ in range(count):
        trainer._train_step()
    trainer._steps.leave()


def changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    """The nodes and heads of which something is not bit-equal."""
    return {".".join(name.split(".")[:2]) for name in before if not torch.equal(before[name], after[name])}
