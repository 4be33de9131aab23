"""Drivers of several studies over one database: what they take over, and what stays when one of them is deleted."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import NotFound, Unavailable
from taskgraft.search.evidence.reduction_matrix import matrix_of
from taskgraft.search.running.artifacts import Checkpoints, remove_study_files
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.records import Records
from taskgraft.search.running.reuse import Reuse, needs_weights
from taskgraft.search.store import Store
from taskgraft.search.strategies.strategy import Settled
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.curves import CurveWorld
from tests.search.store.samples import lease_of
from tests.search.worlds import make_spec, measurement
from tests.stores import new_store

EASY = CurveWorld({("a", "b", 8): 0.0, ("a", "c", 8): 0.0, ("b", "c", 8): 0.03, ("b", "c", 4): 0.0}, worst_tree=0.0)
"""At 2 %, b and c share 4 blocks; at 5 %, everything is shared."""


def digest_of(job: Job) -> str:
    decisive = [job.training.tree.to_json(), job.seed, dict(job.references), job.with_affinities]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


@dataclass
class Studies:
    """Studies of one database in one folder, driven without Ray."""

    store: Store
    folder: Path
    trained: dict[str, list[Job]] = field(default_factory=dict)

    def new(self, **more: Any) -> str:
        return self.store.create_study(self.spec(**more))[0].id

    @staticmethod
    def spec(**more: Any) -> StudySpec:
        return make_spec(3, depths=[4, 8], **more)

    def driver(self, study: str) -> StudyDriver:
        spec, checkpoints = self.store.get_study(study).spec, self.checkpoints(study)
        records = Records(self.store, lease_of(self.store, study))
        reuse = Reuse(spec, records, checkpoints)
        return StudyDriver(spec, records, checkpoints, reuse=reuse, digest_of=digest_of)

    def checkpoints(self, study: str) -> Checkpoints:
        return Checkpoints(self.folder, study)

    def drive(self, study: str, world: CurveWorld = EASY) -> StudyDriver:
        driver = self.driver(study)
        while True:
            try:
                job = driver.next_job()
            except StopIteration:
                return driver
            assert job
            self.trained.setdefault(study, []).append(job)
            driver.on_measured(job, world.train(job))

    def run(self, **more: Any) -> str:
        study = self.new(**more)
        self.drive(study)
        return study

    def count(self, study: str) -> tuple[int, int]:
        """Trainings that the study trained, and those that it took over, by its ledger."""
        trials = self.store.ledger(study).trials()
        taken = sum(trial.taken_over_from is not None for trial in trials)
        assert len(trials) - taken == len(self.trained.get(study, ()))
        return len(trials) - taken, taken

    def delete(self, study: str) -> None:
        self.store.pause_study(study)
        self.store.delete_study(study)
        remove_study_files(self.folder, study)


@pytest.fixture
def studies(tmp_path: Path) -> Iterator[Studies]:
    with new_store(tmp_path / "store.db") as store:
        yield Studies(store, tmp_path)


def test_the_same_study_again_trains_nothing_and_has_its_weights(studies: Studies) -> None:
    first, second = studies.run(), studies.new()
    driver = studies.driver(second)
    driver.take_over()
    assert isinstance(driver.decision(), Settled)
    trained = len(studies.trained[first])
    assert studies.count(second) == (0, trained)
    assert {trial.taken_over_from for trial in studies.store.ledger(second).trials()} == {first}
    progress, _ = driver.snapshot()
    assert (progress.trials_done, progress.taken_over, progress.fraction) == (trained, trained, 1.0)
    whole = [trial for trial in studies.store.ledger(first).trials() if not trial.training.is_probe]
    assert len(whole) >= 4
    for trial in whole:
        weights = studies.checkpoints(first).load(trial.training)
        assert studies.checkpoints(second).load(trial.training) == weights


def test_another_threshold_trains_what_is_missing_and_ends_the_same(studies: Studies) -> None:
    first = studies.run()
    second = studies.new(ar_threshold=0.05)
    found = studies.drive(second)
    trained, taken = studies.count(second)
    assert taken >= 3 + 3
    assert trained == 1, "the tree that shares all"
    with new_store(studies.folder / "other.db") as store:
        other = Studies(store, studies.folder / "other")
        expected = other.drive(other.new(ar_threshold=0.05))
    assert found.decision() == expected.decision() == Settled(BranchTree.flat("abc", 8, 8))
    assert matrix_of(found.evidence).to_csv() == matrix_of(expected.evidence).to_csv()
    assert studies.count(first)[1] == 0


@pytest.mark.parametrize("deleted", ["the first", "the second"])
def test_either_study_may_be_deleted(studies: Studies, deleted: str) -> None:
    first = studies.run()
    second = studies.run()
    studies.delete(first if deleted == "the first" else second)
    left = second if deleted == "the first" else first
    for trial in studies.store.ledger(left).trials():
        if not trial.training.is_probe:
            assert studies.checkpoints(left).load(trial.training)
    third = studies.run()
    assert studies.count(third)[0] == 0
    assert {trial.taken_over_from for trial in studies.store.ledger(third).trials()} == {left}


def test_a_training_whose_weights_are_gone_is_trained_again_where_they_are_needed(studies: Studies) -> None:
    first = studies.run()
    remove_study_files(studies.folder, first)
    second = studies.run()
    again = studies.trained[second]
    assert again
    assert not any(job.training.is_probe for job in again)
    trials = {trial.training: trial.taken_over_from for trial in studies.store.ledger(second).trials()}
    assert {taken for training, taken in trials.items() if training.is_probe} == {first}
    for job in again:
        assert studies.checkpoints(second).load(job.training)
    assert studies.count(studies.run()) == (0, len(trials))


def test_with_a_budget_a_probe_comes_with_its_weights_or_is_trained(studies: Studies) -> None:
    """The budget may end before a pair is trained to its end; then what its probe found is delivered."""
    first = studies.run(ar_threshold=0.1)
    remove_study_files(studies.folder, first)
    second = studies.run(ar_threshold=0.1, budget={"trials": 100})
    for trial in studies.store.ledger(second).trials():
        assert studies.checkpoints(second).load(trial.training)


def test_what_is_taken_over_does_not_count_for_the_budget(studies: Studies) -> None:
    studies.run(ar_threshold=0.05)
    world = CurveWorld(EASY.cells, worst_tree=0.2)
    limited = studies.new(budget={"trials": 4})
    driver = studies.drive(limited, world)
    trained, taken = studies.count(limited)
    assert trained + taken > 4 >= trained
    assert isinstance(driver.decision(), Settled)
    alone = make_spec(3, depths=[4, 8], budget={"trials": 4})
    assert driver.evidence.facts.trained <= (alone.budget.trials or 0)


def test_a_training_that_was_kept_and_not_recorded_is_not_trained_again(studies: Studies) -> None:
    """What a runner leaves that is killed between the two."""
    study = studies.new()
    driver = studies.driver(study)
    job = driver.next_job()
    assert job
    measured = EASY.train(job)
    assert measured.weights
    studies.checkpoints(study).save(job.training, measured.weights)
    Reuse(Studies.spec(), Records(studies.store, lease_of(studies.store, study)), studies.checkpoints(study)).keep(
        job, digest_of(job), measured
    )
    studies.drive(study)
    (first, *_) = studies.store.ledger(study).trials()
    assert (first.training, first.taken_over_from) == (job.training, None)
    assert job not in studies.trained[study]


def test_a_deleted_study_keeps_nothing(studies: Studies) -> None:
    study = studies.new()
    driver = studies.driver(study)
    job = driver.next_job()
    assert job
    studies.delete(study)
    with pytest.raises(NotFound):
        driver.on_measured(job, EASY.train(job))
    assert studies.store.trainings.find(digest_of(job)) == ()


def test_weights_that_cannot_be_written_are_no_reason_to_train_again(studies: Studies) -> None:
    studies.run()
    second = studies.new()
    (studies.folder / "studies" / second).write_text("no folder")
    with pytest.raises(Unavailable, match="can't be written"):
        studies.driver(second).take_over()


@pytest.mark.parametrize(
    ("probe", "left", "lost", "budget", "repeats", "needed"),
    [
        (False, 0, 0.0, None, 1, True),
        (False, 0, 0.5, None, 1, True),
        (False, 40, 0.5, None, 1, False),
        (True, 0, 0.5, None, 1, False),
        (True, 0, 0.0, None, 1, True),  # kept at its last step: it is delivered as it is
        (True, 40, 0.0, None, 1, False),
        (True, 40, 0.0, 50, 1, True),
        (True, 40, 0.5, 50, 1, False),
        (False, 0, 0.5, None, 3, True),
    ],
)
def test_weights_are_needed_of_what_may_be_delivered(
    probe: bool, left: int, lost: float, budget: int | None, repeats: int, needed: bool
) -> None:
    spec = make_spec(2, budget={"trials": budget}, repeats=repeats)
    metrics = {"a": 0.8 * (1 - lost), "b": 0.8}
    job = Job(Training(BranchTree.flat("ab", 8, 8), is_probe=probe), 0, {"a": 0.8, "b": 0.8}, 1)
    assert needs_weights(spec, job, measurement(metrics, steps_left=left)) is needed
