"""Models with heads by name: trained, told apart by their digests, exported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from taskgraft.evaluators.digest import training_digest
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.prediction import load_bundle
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.named_heads import NAMED_HEADS
from taskgraft.space.tasks import TaskKind
from taskgraft.space.tree import BranchTree
from tests.evaluators import exported
from tests.evaluators.exported import export_tones
from tests.evaluators.tones import load_tones

ONCE = Schedule(epochs=1, batch_size=16, optimisation=Optimisation(3e-3))
TONES = TaskKind.CLIP, TaskKind.FRAMES
NAMED = [(name, kind) for name, named in NAMED_HEADS.items() for kind in TONES if named.head(kind)]


def with_heads(data: StudyData, heads: dict[str, str]) -> StudyData:
    tasks = {
        name: replace(task, task=replace(task.task, head=heads.get(name))) if name in heads else task
        for name, task in data.tasks.items()
    }
    return replace(data, tasks=tasks)


@pytest.mark.parametrize(("name", "kind"), NAMED)
def test_every_weight_of_a_named_head_is_trained(name: str, kind: TaskKind, tone_data: StudyData) -> None:
    task = "pitch" if kind is TaskKind.CLIP else "tone"
    trainer = Trainer(BranchTree.flat([task], 8, 8), with_heads(tone_data, {task: name}), ONCE, seed=0)
    before = {key: value.clone() for key, value in trainer.model.heads.named_parameters()}
    while not trainer.finished:
        trainer.advance()
    after = dict(trainer.model.heads.named_parameters())
    # a constant added to the scores of all steps changes no share of theirs
    same = {key for key, value in after.items() if torch.equal(value, before[key])} - {"0.score.bias"}
    assert not same
    assert set(trainer.measurement("here").metrics) == {task}


def test_another_head_is_another_training_and_no_name_the_old_one(tone_data: StudyData) -> None:
    tree = BranchTree.flat(["pitch", "tone"], 4, 8)

    def digest(**heads: str) -> str:
        return training_digest(tree, with_heads(tone_data, heads), {}, 0, {})

    assert digest() == training_digest(tree, tone_data, {}, 0, {})
    assert digest(shape="mlp") == digest(), "a task that the tree does not have"
    found = [digest(), digest(pitch="mlp"), digest(pitch="lstm"), digest(tone="lstm"), digest(pitch="mlp", tone="lstm")]
    assert len(set(found)) == len(found)


@pytest.mark.slow
@pytest.mark.parametrize("heads", [("bigru", "lstm", "bigru"), ("lstm", "mlp", "lstm"), ("pool", "mean", "steps")])
def test_named_heads_are_exported_and_answer_from_their_bundle(
    heads: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = dict(zip(exported.TARGETS, heads, strict=True))
    monkeypatch.setattr(exported, "load_tones", lambda *given, **more: with_heads(load_tones(*given, **more), named))
    bundle = export_tones(tmp_path, schedule=ONCE)  # which compares all forms of the model
    sound, rate = soundfile.read(bundle.clip(4), dtype="float32")
    assert set(load_bundle(bundle.folder).predict(np.asarray(sound), rate)) == set(named)
