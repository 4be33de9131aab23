"""`task-attention`: gates before heads, trained with everything else, and part of what is delivered."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.algorithms.task_attention import TaskAttention
from taskgraft.evaluators.digest import training_digest
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.prediction import load_bundle
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.document import read_tree_document
from taskgraft.space.tree import BranchTree
from tests.evaluators.algorithms.runs import ALL, ALONE, NAMES, digest, finish, gated, tensors_of, trainer_of
from tests.evaluators.exported import TARGETS, export_tones
from tests.evaluators.tones import TEMPLATE

OVERS = ("step", "channels")


@pytest.mark.parametrize("over", OVERS)
def test_every_weight_of_gates_is_trained(over: str, corpora: StudyData) -> None:
    trainer = trainer_of(TaskAttention(over), gated(corpora, over))
    before = tensors_of(trainer)
    finish(trainer)
    after = tensors_of(trainer)
    gates = {name for name in after if name.startswith("gates") or name.endswith("embedding")}
    assert gates == {
        "gates.0.features.weight",
        "gates.0.task.weight",
        *(f"heads.{task}.embedding" for task in range(3)),
    }
    assert not {name for name in gates if torch.equal(before[name], after[name])}


@pytest.mark.parametrize("tree", [ALL, ALONE], ids=["tree", "baseline"])
def test_baselines_have_gates_and_are_not_those_of_soft(tree: BranchTree, corpora: StudyData) -> None:
    found = [finish(trainer_of(TaskAttention(over), gated(corpora, over), tree)) for over in OVERS]
    plain = finish(trainer_of(SOFT, corpora, tree))
    assert len({digest(one) for one in (*found, plain)}) == 3
    assert {one.steps for one in found} == {plain.steps}


def test_a_template_without_gates_is_refused(corpora: StudyData) -> None:
    with pytest.raises(ValueError, match="cnn8 has no gates"):
        trainer_of(TaskAttention(), corpora)


def test_digests_tell_gates_apart(corpora: StudyData) -> None:
    data = [corpora, *(gated(corpora, over) for over in OVERS)]
    assert len({training_digest(ALL, one, {}, 0, {}) for one in data}) == 3


@pytest.mark.parametrize("weighting", ["pcgrad", "gradnorm", "uncertainty"])
def test_weightings_train_gates_too(weighting: str, corpora: StudyData) -> None:
    tasks = [{"name": name, "dataset": "d", "target": name} for name in NAMES]
    training = {"epochs": 1, "batch_size": 16, "algorithm": "task-attention", "loss_weighting": weighting}
    spec = StudySpec.parse({"ar_threshold": 0.02, "tasks": tasks, "training": training})
    trainer = Trainer(ALL, gated(corpora), spec.training.schedule_for(), 0)
    before = tensors_of(trainer)
    finish(trainer)
    after = tensors_of(trainer)
    assert not {name for name, tensor in after.items() if "gates" in name and torch.equal(before[name], tensor)}


@pytest.mark.parametrize("over", OVERS)
def test_a_tree_with_gates_is_exported_and_answers_from_its_bundle(over: str, tmp_path: Path) -> None:
    algorithm = TaskAttention(over)
    schedule = Schedule(epochs=1, batch_size=16, optimisation=Optimisation(3e-3), algorithm=algorithm)
    bundle = export_tones(tmp_path, algorithm.template(TEMPLATE), schedule=schedule)  # which compares all forms
    weights = load_file(bundle.folder / "model.safetensors")
    assert {f"tree.{name}" for name in dict(bundle.model.named_parameters())} <= set(weights)
    assert any(name.startswith("tree.gates.0.") for name in weights)
    document = read_tree_document(json.loads((bundle.folder / "tree.json").read_text()))
    assert document.template == bundle.data.template
    assert document.parameters == sum(weight.numel() for weight in bundle.model.parameters())
    card = (bundle.folder / "README.md").read_text()
    assert f"{document.parameters:,} parameters" in card
    assert "has a gate before it" in card
    sound, rate = soundfile.read(bundle.clip(4), dtype="float32")
    assert set(load_bundle(bundle.folder).predict(np.asarray(sound), rate)) == set(TARGETS)
