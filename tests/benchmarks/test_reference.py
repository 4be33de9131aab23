"""What is learnt from the folder of a reference: replays, warm starts, gradients."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
import torch
from benchmarks.decisions import REPLAYED, cut_off, replay, rows
from benchmarks.reference import Reference
from benchmarks.warm_start import Row, graft_baselines

from taskgraft.evaluators.grafting import FlatModel
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.stopping import Stopping
from taskgraft.evaluators.training import pack_weights
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.jobs import Job
from taskgraft.search.study.spec import Strategy
from taskgraft.search.study.trial import Training
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.search.worlds import finished, make_spec, measurement

DEPTHS = (4, 6, 8)
POINTS = 10
FITS = {("a", "b"): 8, ("a", "c"): 4, ("b", "c"): 0}
SEEDS = 3


def grown(**metrics: float) -> Measurement:
    """A training whose metrics grow evenly over ten checkpoints."""
    last = measurement(metrics)
    curve = tuple(
        {"step": 10.0 * point, **{task: value * point / POINTS for task, value in metrics.items()}}
        for point in range(1, POINTS + 1)
    )
    return replace(last, curve=curve)


def reference(fits: Mapping[tuple[str, str], int]) -> Reference:
    """Baselines at 0.8; a pair loses a half of it where it shares more than it may, and wins a tenth elsewhere."""
    found = {
        (pair, depth): grown(**dict.fromkeys(pair, 0.88 if depth <= fits[pair] else 0.4))
        for pair in combinations("abc", 2)
        for depth in DEPTHS
    } | {((task,), 8): grown(**{task: 0.8}) for task in "abc"}
    trials = [
        finished(Training(BranchTree.flat(tasks, depth, 8), seed), one)
        for seed in range(SEEDS)
        for (tasks, depth), one in found.items()
    ]
    spec = make_spec(3, depths=DEPTHS, strategy="exhaustive", repeats=SEEDS)
    return Reference(spec, tuple(trials), Checkpoints(Path("nowhere"), "none"), Path("nowhere"))


def test_a_sweep_that_is_replayed_asks_everything_to_its_end() -> None:
    found = replay(reference(FITS), Strategy.EXHAUSTIVE, seed=1)
    assert (found.trainings, found.steps) == (12, 1200)
    assert found.depths == FITS


def test_adaptive_finds_the_same_with_fewer_trainings_and_steps() -> None:
    found = replay(reference(FITS), Strategy.ADAPTIVE, seed=1)
    assert found.depths == FITS
    assert found.trainings == 3 + 1 + 3 + 3
    kept, given_up = 90, 90  # steps: 0.88 x 0.9 is within 2 % of 0.8; 0.4 x 0.9 + 2 x 0.1 x 0.8, and luck, is not
    assert found.steps == 3 * 100 + 2 * kept + 5 * given_up


def test_every_seed_is_held_against_the_others() -> None:
    found = rows(reference(FITS))
    assert [row.strategy for row in found] == list(REPLAYED)
    assert [row.steps for row in found] == sorted((row.steps for row in found), reverse=True)
    assert found[0].steps == 1
    for row in found:
        assert [one.equal for one in row.agreements] == [1.0] * SEEDS


def test_a_training_ends_at_the_first_checkpoint_that_keeps_the_threshold() -> None:
    whole, alone = grown(a=0.88, b=0.88), {task: grown(**{task: 0.8}).curve for task in "ab"}
    stopping = Stopping(0.02, accepts=True, baselines=alone)
    cut = cut_off(whole, Job(Training(BranchTree.flat("ab", 4, 8)), 0, {"a": 0.8, "b": 0.8}, 1, stopping))
    assert (cut.steps, cut.steps_left) == (90, 10)
    assert cut.metrics == pytest.approx({"a": 0.792, "b": 0.792})


def test_a_row_counts_sides_of_the_threshold() -> None:
    row = Row.of("x", found=[0.01, 0.03, 0.01, 0.05], truth=[0.0, 0.0, 0.03, 0.05], threshold=0.02)
    assert (row.answers, row.right, row.wrongly_kept) == (4, 2, 1)
    assert row.bias == pytest.approx(0.005)
    assert row.error == pytest.approx(((0.01**2 + 0.03**2 + 0.02**2) / 4) ** 0.5)


def model(tasks: str, shared: int) -> TreeModel:
    specs = [Task(name, TaskKind.CLIP, 3) for name in tasks]
    return TreeModel(BranchTree.flat(tasks, shared, 8), get_template("cnn8"), specs).eval()


@pytest.mark.parametrize("shared", [5, 8])
def test_a_grafted_pair_says_of_its_donor_what_the_baseline_says(shared: int) -> None:
    alone, pair = {task: model(task, 8) for task in "ab"}, model("ab", shared)
    baselines = {task: FlatModel.unpacked([task], pack_weights(one)) for task, one in alone.items()}
    graft_baselines(pair, baselines, donor="b")
    heard = torch.randn(2, 1, get_template("cnn8").front_end.rows, 64)
    with torch.no_grad():
        assert torch.equal(pair(heard)["b"], alone["b"](heard)["b"])
    given, own = alone["a"].state_dict(), pair.state_dict()
    for block in range(shared, 8):
        assert torch.equal(own[f"nodes.1.{block - shared}.0.weight"], given[f"nodes.0.{block}.0.weight"])
