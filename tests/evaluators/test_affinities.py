"""Affinities: gradients against torch's own backward pass, and that looking changes nothing."""

from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
import torch

from taskgraft.evaluators.affinities import gradients
from taskgraft.evaluators.batches import TrainBatches
from taskgraft.evaluators.losses import task_loss
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import load_tones

TASKS = ("pitch", "shape", "tone")
SCHEDULE = Schedule(6, 8, Optimisation(3e-3))


def test_gradients_are_those_of_each_task_alone_and_leave_the_model_as_it_is(tone_data: StudyData) -> None:
    tasks = [tone_data.tasks[name].task for name in TASKS]
    drawn = TrainBatches(tone_data, list(tone_data.tasks.values()), 8, np.random.default_rng(0))
    (batch,) = islice(drawn, 1)
    model = TreeModel(BranchTree.flat(TASKS, 8, 8), tone_data.template, tasks)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = gradients(model, tone_data, batch)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    for name in TASKS:
        model.zero_grad()
        scores = model(tone_data.normalisation(batch.features), batch.rows)[name]
        task_loss(tone_data.tasks[name], scores, batch.targets[name]).backward()  # type: ignore[no-untyped-call]
        shared = [weight.grad for weight in model.nodes["0"].parameters()]
        expected = torch.cat([slope.flatten() for slope in shared if slope is not None])
        assert found[name].norm() > 0
        assert torch.cosine_similarity(found[name], expected, dim=0) == pytest.approx(1, abs=1e-4)
        assert found[name].norm() == pytest.approx(float(expected.norm()), rel=1e-3)


def train(data: StudyData, *, with_affinities: bool) -> Measurement:
    trainer = Trainer(BranchTree.flat(list(data.tasks), 8, 8), data, SCHEDULE, 0, with_affinities=with_affinities)
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("here")


def test_looking_changes_no_training(tone_data: StudyData) -> None:
    plain, watched = (train(tone_data, with_affinities=one) for one in (False, True))
    assert watched.weights == plain.weights
    assert watched.curve == plain.curve
    assert not plain.affinities
    assert list(watched.affinities) == list(combinations(TASKS, 2))
    assert all(-1 <= value <= 1 for value in watched.affinities.values())
    assert Measurement.from_json(watched.to_json()).affinities == watched.affinities


def test_a_task_agrees_most_with_itself(tones: Path, tmp_path: Path) -> None:
    tasks = [("pitch", "tones", "pitch"), ("same", "tones", "pitch"), ("shape", "tones", "shape")]
    found = train(load_tones({"tones": tones}, tasks, tmp_path), with_affinities=True).affinities
    assert max(found, key=found.__getitem__) == ("pitch", "same")
