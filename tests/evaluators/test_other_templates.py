"""Encoders other than `cnn8`, narrow: they are trained, exported, and answer as they did."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.prediction import load_bundle
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.tasks import TaskKind
from taskgraft.space.templates.registry import TEMPLATES, get_template
from taskgraft.space.tree import BranchTree
from tests.evaluators.exported import TARGETS, export_tones
from tests.evaluators.tones import load_tones

ONCE = Schedule(1, 16, Optimisation(3e-3))
NARROW = 0.125


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name != "cnn8"])
def test_every_weight_of_a_narrow_encoder_is_trained(name: str, tones: Path, tmp_path: Path) -> None:
    template = get_template(name, NARROW)
    tasks = [("pitch", "tones", "pitch"), ("tone", "tones", "tone")][: 1 + (TaskKind.FRAMES in template.kinds)]
    data = load_tones({"tones": tones}, tasks, tmp_path, clip_seconds=0.4, template=template)
    names = [task for task, _, _ in tasks]
    trainer = Trainer(BranchTree.flat(names, template.depth - 1, template.depth), data, ONCE, seed=0)
    before = {key: value.clone() for key, value in trainer.model.named_parameters()}
    while not trainer.finished:
        trainer.advance()
    same = [key for key, value in trainer.model.named_parameters() if torch.equal(value, before[key])]
    assert not same
    assert set(trainer.measurement("here").metrics) == set(names)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg11-bn", "cnn-bilstm", "transformer-s", "cp-mobile-rnn"])
def test_a_narrow_encoder_is_exported_and_answers_from_its_bundle(name: str, tmp_path: Path) -> None:
    template = get_template(name, NARROW)
    kinds = {"pitch": TaskKind.CLIP, "relu": TaskKind.CLIP, "waveform": TaskKind.FRAMES}
    targets = {task: target for task, target in TARGETS.items() if kinds[task] in template.kinds}
    exported = export_tones(tmp_path, template, targets, ONCE)  # which compares all forms of the model
    sound, rate = soundfile.read(exported.clip(4), dtype="float32")
    answer = load_bundle(exported.folder).predict(np.asarray(sound), rate)
    assert set(answer) == set(targets)
