"""Studies whose baselines teach: where teachers come from, when trainings may begin, and what is shared with others."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from taskgraft.errors import InvalidInput, Unavailable
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.teachers import Teachers
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.teachers import teachers_of
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.jobs import Job, job_for
from taskgraft.search.running.pipeline import schedule_of, training_digest_of
from taskgraft.search.running.records import Records
from taskgraft.search.running.reuse import needs_weights
from taskgraft.search.running.working import Work, to_config
from taskgraft.search.store import Store
from taskgraft.search.strategies.ahead import can_start
from taskgraft.search.strategies.strategy import Settled
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.corpora import beeps_spec
from tests.search.curves import CurveWorld
from tests.search.running.test_ahead import Workers
from tests.search.running.test_driver import finish, make_driver, new_study, next_job
from tests.search.running.test_reuse import Studies
from tests.search.store.samples import lease_of
from tests.search.worlds import LENGTHS, World, finished, make_spec, measurement
from tests.stores import new_store

DISTIL = {"epochs": 8, "algorithm": "distil"}
PAIR, ALONE = BranchTree.flat("ab", 8, 8), BranchTree.flat("a", 8, 8)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store.db") as store:
        yield store


def taught_by(job: Job) -> dict[str, bytes]:
    return dict(job.teachers.weights) if job.teachers else {}


def keys_of(training: Training) -> dict[str, bytes]:
    """What the baselines of a training weigh in these tests: their keys."""
    trees = {task: BranchTree.flat([task], 8, 8) for task in training.tasks}
    return {task: Training(tree, epochs=training.epochs).key.encode() for task, tree in trees.items()}


def test_the_first_baselines_of_its_length_teach_a_training_of_several_tasks() -> None:
    spec = make_spec(2, training=DISTIL)
    for training in (Training(PAIR), Training(PAIR, 3, is_probe=True), Training(PAIR, 100, recipe="seed-scenes")):
        assert teachers_of(training, spec) == {task: Training(BranchTree.flat([task], 8, 8)) for task in "ab"}
    assert teachers_of(Training(PAIR, 1, epochs=20), spec)["b"] == Training(BranchTree.flat("b", 8, 8), epochs=20)
    assert not teachers_of(Training(ALONE), spec)
    assert not teachers_of(Training(PAIR, is_trunk=True), spec), "baselines start from it"
    assert not teachers_of(Training(PAIR), make_spec(2))
    assert not teachers_of(Training(PAIR), make_spec(2, training={"algorithm": {"name": "distil", "share": 0}}))


@pytest.mark.parametrize(
    "more",
    [
        {"training": DISTIL},
        {"training": DISTIL, "repeats": 2, "confirm": 1},
        {"training": DISTIL | {"epochs": "auto"}},
        {"training": DISTIL | {"start": "trunk"}, "confirm": 1},
        {"training": DISTIL, "strategy": "groups", "repeats": "auto"},
    ],
)
def test_every_joint_training_has_the_teachers_of_its_tasks(
    more: dict[str, object], store: Store, tmp_path: Path
) -> None:
    spec = make_spec(3, **more)
    study = new_study(store, spec)
    world, jobs = World({("a", "b", 8): 0.0}, worst_tree=0.0, enough=10), list[Job]()

    def driver() -> StudyDriver:
        lengths = LENGTHS if spec.training.epochs == "auto" else ()
        return StudyDriver(spec, Records(store, lease_of(store, study)), Checkpoints(tmp_path, study), lengths=lengths)

    while not isinstance((now := driver()).decision(), Settled):  # as if every training had been killed
        job = next_job(now)
        now.on_measured(job, replace(world.measure(job.training), weights=job.training.key.encode()))
        jobs.append(job)
    joint = [job for job in jobs if len(job.training.tasks) > 1 and not job.training.is_trunk]
    assert len(joint) > 1
    assert all(taught_by(job) == keys_of(job.training) for job in joint)
    assert all(job.start for job in joint) is spec.training.has_trunk
    assert not any(job.teachers for job in jobs if job not in joint)


def test_a_teacher_whose_weights_are_lost_is_trouble_of_the_environment(store: Store, tmp_path: Path) -> None:
    spec = make_spec(2, training=DISTIL)
    study = new_study(store, spec)
    driver = make_driver(store, spec, tmp_path, study)
    for task in "ab":
        finish(driver, next_job(driver), **{task: 0.8})
    checkpoint = Checkpoints(tmp_path, study)._path(Training(ALONE))
    checkpoint.unlink()
    with pytest.raises(Unavailable, match=checkpoint.name):
        make_driver(store, spec, tmp_path, study).next_job()


def test_what_its_baselines_teach_does_not_begin_before_they_have_ended() -> None:
    known = [finished(Training(ALONE), measurement({"a": 0.8}))]
    for training, may in ((DISTIL, False), ({"epochs": 8}, True)):
        evidence = Evidence(make_spec(2, training=training, strategy="trees"), known)
        assert can_start(Training(PAIR), evidence, frozenset()) is may
    both = [*known, finished(Training(BranchTree.flat("b", 8, 8)), measurement({"b": 0.8}))]
    assert can_start(Training(PAIR), Evidence(make_spec(2, training=DISTIL, strategy="trees"), both), frozenset())


class Seen(Workers):
    """Workers that note every job which is under way."""

    def fill(self) -> None:
        super().fill()
        self.seen = [*getattr(self, "seen", []), *self.under_way]


@pytest.mark.parametrize("strategy", ["trees", "groups"])
def test_what_is_trained_ahead_has_its_teachers_and_changes_nothing(
    strategy: str, store: Store, tmp_path: Path
) -> None:
    world, found = CurveWorld(worst_tree=0.05, seed=2), []
    for ahead, count in ((2, 3), (0, 1)):
        spec = make_spec(4, strategy=strategy, depths=[4, 8], training=DISTIL)
        study = Seen(store, tmp_path / str(ahead), spec, ahead, count)
        study.run(world, random.Random(1))
        assert not study.opened
        joint = [job for job in study.seen if len(job.training.tasks) > 1]
        assert joint
        assert all(taught_by(job).keys() == set(job.training.tasks) for job in joint)
        found.append(study.measured())
    assert found[0] == found[1]


def test_baselines_that_are_taken_over_come_with_their_weights(tmp_path: Path, store: Store) -> None:
    studies = Studies(store, tmp_path)
    first = studies.run(training=DISTIL, strategy="trees")
    second = studies.run(training=DISTIL, strategy="trees")
    assert studies.count(second)[0] == 0
    for study in (first, second):
        for task in "ab":
            assert studies.checkpoints(study).load(Training(BranchTree.flat([task], 8, 8)))
    spec = make_spec(2, training=DISTIL)
    assert needs_weights(spec, job_for(Training(ALONE), spec, Evidence(spec)), measurement({"a": 0.1}))


def known_beeps(spec: StudySpec) -> Evidence:
    trees = {task: BranchTree.flat([task], 8, 8) for task in ("pitch", "loud")}
    return Evidence(spec, [finished(Training(tree), measurement({task: 0.9})) for task, tree in trees.items()])


def beeps_job(algorithm: object, training: Training, **more: object) -> tuple[Job, StudySpec]:
    spec = beeps_spec(training={"epochs": 4, "batch_size": 12, "algorithm": algorithm, **more})
    return job_for(training, spec, known_beeps(spec)), spec


def digest(job: Job, spec: StudySpec, data: StudyData) -> str:
    return training_digest_of(job, data, spec)


def weights(job: Job, spec: StudySpec, data: StudyData) -> str:
    under_way = Work(to_config(job), data, schedule_of(spec), "cpu")
    while not under_way.finished:
        under_way.advance()
    return hashlib.sha256(under_way.measurement("here").weights or b"").hexdigest()


BEEPS = BranchTree.flat(["pitch", "loud"], 4, 8)
LOUD = BranchTree.flat(["loud"], 8, 8)


@pytest.mark.parametrize(
    ("training", "more"), [(Training(LOUD), {}), (Training(BEEPS, is_trunk=True), {"start": "trunk"})]
)
def test_studies_by_soft_share_baselines_and_trunks(
    training: Training, more: dict[str, object], beeps_data: StudyData
) -> None:
    taught, plain = (beeps_job(one, training, **more) for one in ("distil", "soft"))
    assert digest(*taught, beeps_data) == digest(*plain, beeps_data)
    assert weights(*taught, beeps_data) == weights(*plain, beeps_data)


def test_equal_digests_are_equal_teachers(beeps_data: StudyData) -> None:
    job, spec = beeps_job("distil", Training(BEEPS))
    with pytest.raises(InvalidInput, match="needs the baseline of"):
        weights(job, spec, beeps_data)
    trained = {}
    for seed in (0, 1):
        for task in ("pitch", "loud"):
            alone, _ = beeps_job("distil", Training(BranchTree.flat([task], 8, 8), repeat=seed))
            under_way = Work(to_config(alone), beeps_data, schedule_of(spec), "cpu")
            under_way.advance()
            trained[task, seed] = under_way.measurement("here").weights or b""
    found: dict[str, set[str]] = {}
    for first, second in ((0, 0), (0, 1), (1, 0), (0, 0)):
        teachers = Teachers({"pitch": trained["pitch", first], "loud": trained["loud", second]})
        taught = replace(job, teachers=teachers)
        found.setdefault(digest(taught, spec, beeps_data), set()).add(weights(taught, spec, beeps_data))
    assert len(found) == 3
    assert all(len(one) == 1 for one in found.values())
    assert len(set.union(*found.values())) == 3
