"""Drivers that begin a joint model before its baselines have ended: when they do, and what becomes of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.jobs import Job, job_for
from taskgraft.search.store import Store
from taskgraft.search.strategies.strategy import Settled
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.tree import BranchTree
from tests.search.curves import CurveWorld
from tests.search.running.test_ahead import Workers
from tests.search.store.samples import lease_of
from tests.search.worlds import make_spec, outcomes
from tests.stores import new_store

WORLD = CurveWorld(worst_tree=0.0)
TREE = Training(BranchTree.flat("abc", 8, 8))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store.db") as store:
        yield store


def workers(store: Store, folder: Path, train_ahead: int = 1, count: int = 2, **more: object) -> Workers:
    spec = make_spec(**{"tasks": 3, "strategy": "trees", **more})  # type: ignore[arg-type]
    return Workers(store, folder, spec, train_ahead, count)


def up_to_the_tree(study: Workers) -> Job:
    """Start what there is until a joint model is under way; return its job."""
    while True:
        study.fill()
        if opened := [job for job in study.under_way if job.is_open]:
            return opened[0]
        study.end(study.under_way[0], WORLD)


def up_to_the_last_baseline(study: Workers) -> Job:
    """Go on until the joint model and the last baseline are under way; return the job of the model."""
    job = up_to_the_tree(study)
    while len(study.trained) < len(study.spec.tasks) - 1:
        study.end(baselines(study)[0], WORLD)
        study.fill()
    return job


def baselines(study: Workers) -> list[Job]:
    return [job for job in study.under_way if len(job.training.tasks) == 1]


def at_chance(measured: Measurement) -> Measurement:
    said = {task: outcomes(0.2, 2000) for task in measured.metrics}
    curve = tuple({**point, **dict.fromkeys(said, 0.2)} for point in measured.curve)
    return replace(measured, metrics=dict.fromkeys(said, 0.2), outcomes=said, curve=curve)


def finish(study: Workers) -> Settled:
    while not isinstance(decision := study.driver.decision(), Settled):
        study.fill()
        study.look()
        if study.under_way:
            study.end(study.under_way[0], WORLD)
        study.driver.take_over()
    return decision


def test_a_core_that_would_wait_for_the_last_baseline_trains_the_first_tree(store: Store, tmp_path: Path) -> None:
    study = workers(store, tmp_path)
    job = up_to_the_last_baseline(study)
    assert job.training == TREE
    assert (job.references, job.stopping, job.with_affinities) == ({}, None, True)
    assert [one.training.tasks for one in baselines(study)] == [("c",)]
    assert [shown.ahead for shown in study.driver.snapshot()[1] if shown.tasks == TREE.tasks] == [True]
    study.end(baselines(study)[0], WORLD)
    study.fill()
    shown = [one for one in study.driver.snapshot()[1] if (one.tasks, one.shared) == (TREE.tasks, 8)]
    assert not any(one.ahead for one in shown)
    study.end(job, WORLD)
    assert study.ledger()[3:] == [TREE]


@pytest.mark.parametrize(("train_ahead", "count"), [(0, 2), (1, 1)])
def test_not_with_one_worker_and_not_if_nothing_is_to_be_trained_ahead(
    store: Store, tmp_path: Path, train_ahead: int, count: int
) -> None:
    study = workers(store, tmp_path, train_ahead, count, tasks=4)
    while len(study.trained) < 4:
        study.fill()
        assert len(baselines(study)) == len(study.under_way)
        study.end(study.under_way[0], WORLD)
    study.fill()
    assert [job.is_open for job in study.under_way] == [False]


def test_a_long_tree_of_several_datasets_begins_while_baselines_wait(store: Store, tmp_path: Path) -> None:
    columns = [{"name": task, "dataset": f"of {task}", "target": task} for task in "abcde"]
    spec = StudySpec.parse({**make_spec(5, strategy="trees").to_plain(), "tasks": columns})
    study = Workers(store, tmp_path, spec, 1)
    job = up_to_the_tree(study)
    assert len(study.trained) + len(baselines(study)) < 5
    study.look()
    assert job in study.under_way  # it does not make room for the baselines that wait
    finish(study)
    assert study.stopped == []


def test_what_ends_before_its_baselines_is_judged_when_they_are_known(store: Store, tmp_path: Path) -> None:
    study = workers(store, tmp_path)
    job = up_to_the_last_baseline(study)
    study.end(job, WORLD)
    assert TREE not in study.ledger()
    assert [one.training.tasks for one in study.under_way] == [("c",)]
    before = study.driver.snapshot()[0]
    assert (before.trials_done, before.taken_over) == (2, 0)
    study.fill()
    assert TREE not in [one.training for one in study.under_way]
    study.end(baselines(study)[0], WORLD)
    study.driver.take_over()
    assert study.ledger()[3:4] == [TREE]
    assert [trial.taken_over_from for trial in store.ledger(study.study).trials()][:4] == [None] * 4
    finish(study)
    assert study.ledger().count(TREE) == 1


def test_what_was_open_is_lost_if_the_process_dies(store: Store, tmp_path: Path) -> None:
    study = workers(store, tmp_path)
    study.end(up_to_the_tree(study), WORLD)
    study.killed()
    settled = finish(study)
    alone = workers(store, tmp_path / "alone", train_ahead=0, count=1)
    assert settled == finish(alone)
    assert sorted(one.key for one in study.ledger()) == sorted(one.key for one in alone.ledger())
    for training, measured in alone.measured().items():
        assert study.measured()[training] == measured


def test_a_task_at_chance_stops_the_tree_that_has_it(store: Store, tmp_path: Path) -> None:
    study = workers(store, tmp_path)
    job = up_to_the_last_baseline(study)
    last = baselines(study)[0]
    study.under_way.remove(last)
    study.driver.on_measured(last, at_chance(WORLD.train(last)))
    assert study.driver.is_needed(job) is False
    study.look()
    study.fill()
    assert study.stopped == [TREE]
    assert ("a", "b") in [one.training.tasks for one in study.under_way]
    assert TREE not in study.ledger()


def test_an_open_training_that_fails_is_no_matter_until_it_is_asked_for(store: Store, tmp_path: Path) -> None:
    study = workers(store, tmp_path)
    job = up_to_the_last_baseline(study)
    study.under_way.remove(job)
    study.driver.on_failed(job, "the loss is nan")
    study.fill()
    assert TREE not in [one.training for one in study.under_way]
    study.end(baselines(study)[0], WORLD)
    study.fill()
    assert [one.is_open for one in study.under_way if one.training == TREE] == [False]
    assert not study.driver.is_needed(job)
    study.driver.on_progress(job, 0.5, "host:1")
    study.driver.on_stopped(job)
    assert (TREE.tasks, 8) in [(shown.tasks, shown.shared) for shown in study.driver.snapshot()[1]]


def test_a_group_ends_where_its_rule_ends_it_as_soon_as_the_baselines_are_known(store: Store, tmp_path: Path) -> None:
    study = workers(store, tmp_path, strategy="groups", depths=[4, 8])
    job = up_to_the_last_baseline(study)
    assert job.training == replace(TREE, is_probe=True)
    for _ in range(7):
        assert study.evaluate(job, WORLD)
    study.end(baselines(study)[0], WORLD)
    study.driver.take_over()
    probe = job.training
    assert probe in study.ledger()
    assert not study.driver.is_needed(job)
    study.look()
    assert job not in study.under_way
    alone = workers(store, tmp_path / "alone", 0, 1, strategy="groups", depths=[4, 8])
    finish(alone)
    assert study.measured()[probe] == alone.measured()[probe]
    trials = [trial for trial in store.ledger(study.study).trials() if trial.training == probe]
    assert trials[0].measurement
    assert trials[0].measurement.steps < 70  # as if it had not gone on while the baseline was under way
    finish(study)


def test_it_starts_from_the_trunk_that_all_start_from(store: Store, tmp_path: Path) -> None:
    study = workers(store, tmp_path, training={"epochs": 32, "start": "trunk"})
    study.fill()
    assert [job.training.is_trunk for job in study.under_way] == [True]  # nothing can begin before it has ended
    study.end(study.under_way[0], WORLD)
    study.trained.clear()
    job = up_to_the_tree(study)
    assert job.training == TREE
    assert job.start
    assert job.start == baselines(study)[0].start
    finish(study)
    assert study.ledger().count(TREE) == 1


def test_a_training_of_another_study_is_taken_over_instead(store: Store, tmp_path: Path) -> None:
    """It can't be known before the references are."""
    study = workers(store, tmp_path)
    job = up_to_the_last_baseline(study)
    last = baselines(study)[0]
    other = workers(store, tmp_path, 0, 1)
    finish(other)
    measured = other.measured()[TREE]
    # What the other study has trained, as this one would find it.
    index, digest_of = store.trainings, study.driver._digest_of
    (kept,) = index.find(other.driver._digest_of(job_for(TREE, other.spec, before_the_tree(other))))
    study.under_way.remove(last)
    trained = WORLD.train(last)
    evidence = Evidence(study.spec, [*store.ledger(study.study).trials(), ended(last, trained)])
    index.keep(lease_of(store, other.study), replace(kept, digest=digest_of(job_for(TREE, study.spec, evidence))))
    study.driver.on_measured(last, trained)
    assert not study.driver.is_needed(job)
    study.driver.take_over()
    trials = {trial.training: trial for trial in store.ledger(study.study).trials()}
    assert trials[TREE].taken_over_from == other.study
    assert study.measured()[TREE][1] == measured[1]


def before_the_tree(study: Workers) -> Evidence:
    trials = study.store.ledger(study.study).trials()
    return Evidence(study.spec, [trial for trial in trials if len(trial.training.tasks) == 1])


def ended(job: Job, measured: Measurement) -> Trial:
    return Trial(-1, job.training, job.seed, TrialState.COMPLETE, measured)
