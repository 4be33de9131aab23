"""Trainings by every weighting: repeated, gone on with, of one task, and told apart."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.digest import training_digest
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.evaluators.training_state import PackedState
from taskgraft.evaluators.weighting.plain import Fixed, Sum
from taskgraft.evaluators.weighting.protocol import LossWeighting
from taskgraft.evaluators.weighting.registry import WEIGHTINGS
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import load_tones, write_tones

OPTIONS: Mapping[str, Mapping[str, Any]] = {"fixed": {"weights": {"pitch": 1.0, "shape": 2.0, "tone": 0.5}}}
ALL = BranchTree.flat(["pitch", "shape", "tone"], 5, 8)
STAMP = "7" * 64


def make(name: str, **options: Any) -> LossWeighting:
    return WEIGHTINGS[name](**{**OPTIONS.get(name, {}), **options})


def trainer(data: StudyData, weighting: LossWeighting, tree: BranchTree = ALL, **more: Any) -> Trainer:
    return Trainer(tree, data, Schedule(4, 8, Optimisation(3e-3), weighting=weighting, **more), 3)


def finish(training: Trainer) -> Measurement:
    while not training.finished:
        training.advance()
    return training.measurement("here")


def weights(measured: Measurement) -> str:
    assert measured.weights
    return hashlib.sha256(measured.weights).hexdigest()


@pytest.fixture(scope="module")
def two_corpora(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """Three tasks over two corpora; one lacks labels."""
    root: Path = tmp_path_factory.mktemp("two")
    manifests = {"one": write_tones(root / "one"), "two": write_tones(root / "two", seed=1, unlabelled="shape")}
    tasks = [("pitch", "one", "pitch"), ("shape", "two", "shape"), ("tone", "two", "tone")]
    return load_tones(manifests, tasks, root / "cache")


@pytest.fixture(scope="module")
def whole(two_corpora: StudyData) -> dict[str, Measurement]:
    """A training by each weighting."""
    return {name: finish(trainer(two_corpora, make(name))) for name in WEIGHTINGS}


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_a_training_that_goes_on_equals_the_undisturbed_one(
    name: str, two_corpora: StudyData, whole: Mapping[str, Measurement]
) -> None:
    """So does one that is repeated: the first half of both is taken afresh."""
    first = trainer(two_corpora, make(name))
    for _ in range(3):
        first.advance()
    state = PackedState(bytes(first.pack_state(STAMP).content))
    torch.manual_seed(99)
    other = trainer(two_corpora, make(name))
    other.go_on_from(state, STAMP)
    found, expected = finish(other), whole[name]
    assert weights(found) == weights(expected)
    assert found.curve == expected.curve


def test_every_weighting_makes_another_model(whole: Mapping[str, Measurement]) -> None:
    assert len({weights(measured) for measured in whole.values()}) == len(WEIGHTINGS)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fixed", {"weights": {"pitch": 1.0, "shape": 2.0, "tone": 0.75}}),
        ("uncertainty", {"form": "half"}),
        ("uncertainty", {"learning_rate": 0.1}),
        ("uncertainty-positive", {"learning_rate": 0.1}),
        ("loss-proportional", {"detached": False}),
        ("dwa", {"temperature": 0.5}),
        ("gradnorm", {"alpha": 0.0}),
        ("aligned-mtl", {"scale_mode": "rmse"}),
        ("cagrad", {"c": 0.1}),
        ("nash-mtl", {"max_norm": 0.0}),
    ],
)
def test_options_make_another_model(
    name: str, options: Mapping[str, Any], two_corpora: StudyData, whole: Mapping[str, Measurement]
) -> None:
    assert weights(finish(trainer(two_corpora, make(name, **options)))) != weights(whole[name])


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_a_task_alone_is_trained_by_its_plain_loss(name: str, tone_data: StudyData) -> None:
    alone = BranchTree.flat(["shape"], 8, 8)
    found = finish(trainer(tone_data, make(name), alone))
    assert weights(found) == weights(finish(trainer(tone_data, Sum(), alone)))


def test_weights_of_1_are_the_sum(tone_data: StudyData) -> None:
    ones = Fixed(weights=dict.fromkeys(ALL.tasks, 1.0))
    assert weights(finish(trainer(tone_data, ones))) == weights(finish(trainer(tone_data, Sum())))


def test_the_digest_tells_weightings_and_options_apart(tone_data: StudyData) -> None:
    several = [make(name) for name in WEIGHTINGS]
    several += [make("dwa", temperature=1.0), make("gradnorm", alpha=0.5), make("cagrad", c=0.25)]
    several.append(make("fixed", weights={"pitch": 2.0, "shape": 2.0, "tone": 0.5}))

    def digests(tree: BranchTree) -> set[str]:
        schedules = [Schedule(4, 8, weighting=weighting).for_tasks(tree.tasks) for weighting in several]
        return {training_digest(tree, tone_data, schedule.to_plain(), 3, {}) for schedule in schedules}

    assert len(digests(ALL)) == len(several)
    assert len(digests(BranchTree.flat(["pitch"], 8, 8))) == 1


def test_weights_of_tasks_that_are_not_trained_make_no_difference(tone_data: StudyData) -> None:
    pair = ("pitch", "tone")
    one = Schedule(4, 8, weighting=make("fixed")).for_tasks(pair)
    other = Schedule(4, 8, weighting=Fixed(weights={"pitch": 1.0, "tone": 0.5, "new": 9.0})).for_tasks(pair)
    assert one.to_plain() == other.to_plain()


def test_the_plain_form_of_the_default_is_its_name() -> None:
    assert Schedule(4, 8).to_plain()["loss_weighting"] == "sum"


def test_a_state_of_another_weighting_is_refused(tone_data: StudyData) -> None:
    first = trainer(tone_data, make("gradnorm"))
    first.advance()
    other = trainer(tone_data, make("dwa"))
    with pytest.raises(InvalidInput, match="its tensors are not those of the model: weighting"):
        other.go_on_from(first.pack_state(STAMP), STAMP)
    other.advance()


def test_the_state_of_an_open_training_has_the_weighting(tone_data: StudyData) -> None:
    training = Trainer(ALL, tone_data, Schedule(4, 8, weighting=make("gradnorm")), 3, is_open=True)
    training.advance()
    look = training.look(with_state=True)
    assert look
    assert look.state
    kept = look.state.tensors["weighting.values"].copy()
    training.advance()
    assert (look.state.tensors["weighting.values"] == kept).all()


def test_mixed_clips_are_weighed_by_their_mixed_losses(tone_data: StudyData) -> None:
    """With weights of 1, mixing gives the same as the sum, bit for bit."""
    ones = Fixed(weights=dict.fromkeys(ALL.tasks, 1.0))
    found = [weights(finish(trainer(tone_data, weighting, mixup=0.4))) for weighting in (ones, Sum(), make("mean"))]
    assert found[0] == found[1] != found[2]
