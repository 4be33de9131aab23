"""Lookahead affinities: the known answer, against steps that are really taken, and that looking changes nothing."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice, permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.batches import TrainBatches
from taskgraft.evaluators.digest import training_digest
from taskgraft.evaluators.lookahead import LookaheadMeter, lookahead_affinities
from taskgraft.evaluators.losses import task_loss
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.tree import BranchTree

TASKS = ("pitch", "shape", "tone")
SCHEDULE = Schedule(epochs=6, batch_size=8, optimisation=Optimisation(3e-3))


def test_two_parabolas_have_the_affinity_by_hand() -> None:
    """x = 0, L_i = (x - 1)^2 / 2, L_j = (x - 2)^2 / 2, a step of 0.1: Z(i -> j) = 1 - 1.9^2 / 2^2 = 0.0975."""
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    def losses() -> Mapping[str, Tensor]:
        return {"i": (x - 1).square().sum() / 2, "j": (x - 2).square().sum() / 2}

    found = lookahead_affinities(losses, [x], 0.1)
    assert found["i", "j"] == pytest.approx(0.0975)
    assert found["j", "i"] == pytest.approx(1 - 0.8**2)
    assert found.keys() == {("i", "j"), ("j", "i")}
    assert x.item() == 0.0


def test_a_step_that_goes_astray_is_a_finite_figure() -> None:
    x = torch.zeros(1, requires_grad=True)

    def losses() -> Mapping[str, Tensor]:
        return {"i": (x - 1).square().sum(), "j": (x - 2).square().sum()}

    assert set(lookahead_affinities(losses, [x], 1e30).values()) == {1 - 1e6}


def test_a_loss_of_0_has_nothing_to_lose() -> None:
    x = torch.zeros(1, requires_grad=True)
    found = lookahead_affinities(lambda: {"i": x.square().sum(), "j": (x - 1).square().sum()}, [x], 0.1)
    assert found["j", "i"] == 0.0


def test_affinities_are_those_of_steps_that_are_taken_and_weights_stay(tone_data: StudyData) -> None:
    tasks = [tone_data.tasks[name].task for name in TASKS]
    drawn = TrainBatches(tone_data, list(tone_data.tasks.values()), 8, np.random.default_rng(0))
    batches = list(islice(drawn, 4))
    model = TreeModel(BranchTree.flat(TASKS, 8, 8), tone_data.template, tasks).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    meter = LookaheadMeter(tone_data, TASKS, 8, 0, 0.05)
    meter.look(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())

    def losses(index: int) -> dict[str, Tensor]:
        scores = model(tone_data.normalisation(batches[index].features), batches[index].rows)
        return {
            name: task_loss(tone_data.tasks[name], score, batches[index].targets[name])
            for name, score in scores.items()
        }

    expected: dict[tuple[str, str], list[float]] = {pair: [] for pair in permutations(TASKS, 2)}
    for index in range(4):
        for task in TASKS:
            model.load_state_dict(before)
            start = losses(index)
            model.zero_grad()
            start[task].backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for weight in model.nodes["0"].parameters():
                    assert weight.grad is not None
                    weight.sub_(0.05 * weight.grad)
            for other, loss in losses(index).items():
                if other != task:
                    expected[task, other].append(1 - loss.item() / start[other].item())
    for pair, seen in expected.items():
        assert meter.means[pair] == pytest.approx(float(np.mean(seen)), abs=1e-5)


def train(data: StudyData, *, with_lookaheads: bool) -> Measurement:
    trainer = Trainer(BranchTree.flat(list(data.tasks), 8, 8), data, SCHEDULE, 0, with_lookaheads=with_lookaheads)
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("here")


def test_looking_ahead_changes_no_training(tone_data: StudyData) -> None:
    plain, watched = (train(tone_data, with_lookaheads=one) for one in (False, True))
    assert watched.weights == plain.weights
    assert watched.curve == plain.curve
    assert not plain.lookaheads
    assert list(watched.lookaheads) == list(permutations(TASKS, 2))
    assert all(value <= 1 for value in watched.lookaheads.values())
    assert Measurement.from_json(watched.to_json()).lookaheads == watched.lookaheads
    assert replace(watched, lookaheads={}).to_json() == {**plain.to_json(), "seconds": watched.seconds}
    assert watched.without_affinities().lookaheads == {}


def test_a_training_that_looks_ahead_goes_on_from_no_state(tone_data: StudyData) -> None:
    tree = BranchTree.flat(list(tone_data.tasks), 8, 8)
    trainer = Trainer(tree, tone_data, SCHEDULE, 0)
    trainer.advance()
    with pytest.raises(InvalidInput, match="affinities"):
        Trainer(tree, tone_data, SCHEDULE, 0, with_lookaheads=True).go_on_from(trainer.pack_state("one"), "one")


def test_its_digest_is_another_one_only_if_it_looks_ahead(tone_data: StudyData) -> None:
    tree = BranchTree.flat(list(tone_data.tasks), 8, 8)
    plain = training_digest(tree, tone_data, {}, 0, {})
    assert training_digest(tree, tone_data, {}, 0, {}, with_lookaheads=False) == plain
    assert training_digest(tree, tone_data, {}, 0, {}, with_lookaheads=True) != plain
