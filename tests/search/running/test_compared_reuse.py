"""Comparisons take over what their study, and other comparisons, have trained."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.comparison.beginning import check_request
from taskgraft.search.running.agenda import ComparisonAgenda
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.records import Records
from taskgraft.search.running.reuse import Reuse
from taskgraft.search.store import Store
from taskgraft.search.strategies.strategy import Settled
from taskgraft.search.study.comparison import Comparison, comparison_spec
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.curves import CurveWorld
from tests.search.store.samples import lease_of
from tests.search.worlds import make_spec
from tests.stores import new_store

WORLD = CurveWorld({(a, b, 8): 0.0 for a, b in permutations("abc", 2)}, worst_tree=0.0)
TREE = BranchTree.flat("abc", 8, 8)


def digest_of(job: Job) -> str:
    decisive: list[Any] = [job.training.tree.to_json(), job.seed, dict(job.references)]
    return hashlib.sha256(json.dumps([*decisive, job.with_affinities, job.with_lookaheads]).encode()).hexdigest()


def train(job: Job) -> Measurement:
    measured = WORLD.train(job)
    pairs = permutations(job.training.tasks, 2) if job.with_lookaheads else ()
    return replace(measured, lookaheads=dict.fromkeys(pairs, 0.1))


def drive(store: Store, folder: Path, spec: StudySpec, comparison: Comparison | None = None) -> StudyDriver:
    """A study, or a comparison, driven to its end without Ray."""
    study = store.create_study(spec, comparison=comparison)[0]
    checkpoints = Checkpoints(folder, study.id)
    records, agenda = Records(store, lease_of(store, study.id)), ComparisonAgenda(comparison) if comparison else None
    reuse = Reuse(spec, records, checkpoints)
    driver = StudyDriver(spec, records, checkpoints, reuse=reuse, digest_of=digest_of, train_ahead=0, agenda=agenda)
    while True:
        try:
            job = driver.next_job()
        except StopIteration:
            return driver
        assert job
        driver.on_progress(job, 0.5, "here")
        assert driver.snapshot()[0].trials_planned > 0
        assert driver.report()[0] in (Stage.BASELINES, Stage.PAIRS, Stage.VERIFICATION, Stage.COMPARISON)
        driver.on_measured(job, train(job))


def compare(store: Store, folder: Path, spec: StudySpec, systems: Sequence[str]) -> StudyDriver:
    comparison = replace(check_request(spec, systems), tree=TREE, groups=1)
    driver = drive(store, folder, comparison_spec(spec), comparison)
    assert isinstance(driver.decision(), Settled)
    return driver


def trained_by(driver: StudyDriver) -> set[Training]:
    """What was not taken over."""
    trials = driver._records.trials()
    return {trial.training for trial in trials if trial.taken_over_from is None}


@pytest.mark.parametrize(
    ("strategy", "missing"),
    [
        ("exhaustive", [BranchTree.flat("abc", 4, 8)]),
        # The first joint training measured cosines of gradients: its weights are the same.
        ("groups", [BranchTree.flat("abc", 4, 8)]),
    ],
)
def test_what_the_study_has_trained_is_taken_over(tmp_path: Path, strategy: str, missing: list[BranchTree]) -> None:
    spec = make_spec(3, depths=[4, 8], strategy=strategy)
    with new_store(tmp_path / "store.db") as store:
        drive(store, tmp_path, spec)
        driver = compare(store, tmp_path, spec, ["independent", "flat", "tree"])
        assert {training.tree for training in trained_by(driver)} == set(missing)
        joint = driver.evidence.facts.known[Training(TREE)]
        assert not joint.affinities
        progress, _ = driver.snapshot()
        assert (progress.trials_done, progress.taken_over, progress.fraction) == (5, 4, 1.0)


def test_a_joint_training_that_looked_ahead_serves_comparisons_that_do_not(tmp_path: Path) -> None:
    spec = make_spec(3, depths=[4, 8], strategy="exhaustive")
    with new_store(tmp_path / "store.db") as store:
        first = compare(store, tmp_path, spec, ["tag"])
        assert first.evidence.facts.known[Training(TREE)].lookaheads
        second = compare(store, tmp_path, spec, ["flat-8"])
        assert trained_by(second) == set()
        assert not second.evidence.facts.known[Training(TREE)].lookaheads
        again = compare(store, tmp_path, spec, ["tag", "tree"])
        assert trained_by(again) == set()
        assert again.evidence.facts.known[Training(TREE)].lookaheads


def test_one_that_did_not_look_ahead_does_not_serve_tag(tmp_path: Path) -> None:
    spec = make_spec(3, depths=[4, 8], strategy="exhaustive")
    with new_store(tmp_path / "store.db") as store:
        compare(store, tmp_path, spec, ["flat-8"])
        assert trained_by(compare(store, tmp_path, spec, ["tag"])) == {Training(TREE)}
