"""What is delivered: the pruned tree if it keeps the threshold on validation, else the tree as found, and why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trees import components
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.delivery import Delivery, choose_delivery
from taskgraft.search.running.networks import Networks
from taskgraft.search.running.readings import Readings
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.compressed import Searched, search
from tests.search.corpora import beeps_spec
from tests.search.worlds import BASELINE, World, measurement

TASKS = ("pitch", "loud", "shape")
EASY, HARD = World(elsewhere=0.0, worst_tree=0.0), World(elsewhere=0.9, worst_tree=0.9)
NAMES = ("lth", "lt4rec", "prune")


def losing(world: World, share: float) -> Callable[[Training], Measurement]:
    """Return what a world measures if pruned models lose a share of each metric."""

    def measure(training: Training) -> Measurement:
        if not training.pruning:
            return world.measure(training)
        return measurement(dict.fromkeys(training.tasks, BASELINE * (1 - share)))

    return measure


def delivered(
    beeps: Path,
    data: StudyData,
    world: World,
    share: float,
    fails: Callable[[Training], bool] = lambda training: False,
    **fields: Any,
) -> tuple[Searched, Delivery]:
    spec = beeps_spec(strategy="groups", **fields)
    prepared = prepare(spec, data_dir=beeps, base=beeps)
    found = search(spec, world, measure=losing(world, share), fails=fails, tasks=prepared.tasks)
    assert found.settled
    networks = Networks(prepared, data, Checkpoints(beeps, "none"))
    return found, choose_delivery(Readings(prepared, found.evidence, networks), found.settled.tree)


def as_found(found: Searched) -> tuple[BranchTree, tuple[Training, ...]]:
    assert found.settled
    tree, evidence = found.settled.tree, found.evidence
    assert isinstance(evidence, Evidence)
    return tree, tuple(evidence.best_repeat(part) for part in components(tree))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("share", "ar"), [(0.0, 0.0), (0.1, 0.1), (0.3, 0.3), (-0.1, 0.0)])
def test_a_pruned_tree_that_keeps_the_threshold_is_delivered(
    name: str, share: float, ar: float, beeps: Path, beeps_data: StudyData
) -> None:
    found, delivery = delivered(beeps, beeps_data, EASY, share, compression=name)
    assert delivery.is_pruned
    assert delivery.reason is None
    assert delivery.pruned_ar == pytest.approx(ar, abs=0.02), "50 clips"
    assert delivery.alone == frozenset()
    assert delivery.tree == BranchTree.flat(TASKS, 0 if name == "lt4rec" else 8, 8)
    assert delivery.parts == (found.rounds[-1],)


@pytest.mark.parametrize("name", NAMES)
def test_a_pruned_tree_that_breaks_it_is_not_delivered_and_the_reason_is_told(
    name: str, beeps: Path, beeps_data: StudyData
) -> None:
    found, delivery = delivered(beeps, beeps_data, EASY, 0.5, compression=name)
    assert (delivery.tree, delivery.parts) == as_found(found)
    assert not delivery.is_pruned
    assert delivery.pruned_ar == pytest.approx(0.5)
    assert delivery.reason == (
        f"{name}: AR 50.00% on validation is above 30.00%; the tree is delivered as it was found"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_training_leaves_the_tree_as_it_was_found(name: str, beeps: Path, beeps_data: StudyData) -> None:
    def fails(training: Training) -> bool:
        return training.pruning is not None

    found, delivery = delivered(beeps, beeps_data, EASY, 0.0, fails, compression=name)
    assert (delivery.tree, delivery.parts, delivery.pruned_ar) == (*as_found(found), None)
    assert delivery.reason == (f"{name}: a training failed (the loss is nan); the tree is delivered as it was found")


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_tasks_alone_are_held_against_their_baselines(share: float, beeps: Path, beeps_data: StudyData) -> None:
    """What is pruned of a baseline is no baseline: it may lose something."""
    found, delivery = delivered(beeps, beeps_data, HARD, share, compression="lt4rec")
    assert delivery.tree == BranchTree.flat(TASKS, 0, 8)
    assert len(delivery.parts) == 3
    assert delivery.pruned_ar == pytest.approx(share, abs=0.02)
    assert delivery.is_pruned is (share == 0.1)
    assert delivery.alone == (frozenset() if delivery.is_pruned else frozenset(TASKS))
    if delivery.is_pruned:
        assert set(delivery.parts) == {one for one in found.rounds if one.pruning and len(one.pruning.keeps) == 4}


@pytest.mark.parametrize("compression", [[], "int8"])
def test_without_pruning_the_tree_is_delivered(compression: object, beeps: Path, beeps_data: StudyData) -> None:
    found, delivery = delivered(beeps, beeps_data, EASY, 0.5, compression=compression)
    assert delivery == Delivery(*as_found(found))
