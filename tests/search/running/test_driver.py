"""The driver over a real ledger: which jobs it hands out, what it keeps, what it says of its progress."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from taskgraft.errors import TrainingFailed, Unavailable
from taskgraft.evaluators.trunk import Trunk
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.records import Records
from taskgraft.search.store import Store
from taskgraft.search.strategies.groups import affinities
from taskgraft.search.strategies.strategy import Ask, Settled
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import TrialState
from taskgraft.space.tree import BranchTree
from tests.search.store.samples import lease_of
from tests.search.worlds import World, make_spec, measurement
from tests.stores import new_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store.db") as store:
        yield store


def new_study(store: Store, spec: StudySpec) -> str:
    return store.create_study(spec)[0].id


def make_driver(store: Store, spec: StudySpec, folder: Path, study: str | None = None) -> StudyDriver:
    study = study or new_study(store, spec)
    return StudyDriver(spec, Records(store, lease_of(store, study)), Checkpoints(folder, study))


def next_job(driver: StudyDriver) -> Job:
    job = driver.next_job()
    assert job
    return job


def finish(driver: StudyDriver, job: Job, **metrics: float) -> None:
    driver.on_measured(job, replace(measurement(metrics), weights=job.training.key.encode()))


def drive(driver: StudyDriver, world: World) -> list[Job]:
    done: list[Job] = []
    while True:
        try:
            job = next_job(driver)
        except StopIteration:
            return done
        driver.on_measured(job, replace(world.measure(job.training), weights=job.training.key.encode()))
        done.append(job)


@pytest.mark.parametrize(
    ("strategy", "asked"),
    [("groups", [(("a", "b", "c"), 8, True)]), ("trees", [(("a", "b", "c"), 8, False)]), ("adaptive", [])],
)
def test_only_the_first_group_is_asked_for_affinities_and_they_outlive_the_driver(
    strategy: str, asked: list[tuple[tuple[str, ...], int, bool]], store: Store, tmp_path: Path
) -> None:
    spec = make_spec(3, strategy=strategy)
    study = new_study(store, spec)
    driver = make_driver(store, spec, tmp_path, study)
    jobs = drive(driver, World(worst_tree=0.0))
    told = [one.training for one in jobs if one.with_affinities]
    assert [(training.tasks, training.shared, training.is_probe) for training in told] == asked
    assert bool(affinities(spec, driver.evidence)) is bool(asked)
    again = make_driver(store, spec, tmp_path, study)
    assert affinities(spec, again.evidence) == affinities(spec, driver.evidence)


def test_a_pair_is_trained_against_the_baselines_of_its_tasks(store: Store, tmp_path: Path) -> None:
    driver = make_driver(store, make_spec(2, seed=40, repeats=2), tmp_path)
    baselines = [next_job(driver) for _ in range(4)]
    assert [(*job.training.tasks, job.seed) for job in baselines] == [("a", 40), ("a", 41), ("b", 40), ("b", 41)]
    assert driver.next_job() is None
    for job, value in zip(baselines, (0.6, 0.8, 0.5, 0.5), strict=True):
        assert job.references == {}
        finish(driver, job, **{job.training.tasks[0]: value})
    pair = next_job(driver)
    assert (pair.training.tree, pair.seed) == (BranchTree.flat("ab", 8, 8), 40)
    assert pair.references == pytest.approx({"a": 0.7, "b": 0.5})


def test_a_study_is_driven_to_its_end_and_resumed_there(store: Store, tmp_path: Path) -> None:
    spec = make_spec(3)
    study = new_study(store, spec)
    world = World(elsewhere=0.0, worst_tree=0.0)
    driver = make_driver(store, spec, tmp_path, study)
    done = drive(driver, world)
    assert len(done) == store.ledger(study).trial_count() == 7
    again = make_driver(store, spec, tmp_path, study)
    assert again.decision() == driver.decision() == Settled(BranchTree.flat("abc", 8, 8))
    assert drive(again, world) == []


def test_a_search_over_trees_goes_on_from_its_ledger_and_no_tree_stops_early(store: Store, tmp_path: Path) -> None:
    """All four lose together; whatever is left out of the driver's memory is in the ledger."""
    spec, world = make_spec(4, strategy="trees"), World(elsewhere=0.0, worst_tree=0.08, seed=2)
    whole = make_driver(store, spec, tmp_path, new_study(store, spec))
    jobs = drive(whole, world)
    assert all(job.stopping is None and not job.training.is_probe for job in jobs)
    assert len(jobs) > 6
    study = new_study(store, spec)
    first = make_driver(store, spec, tmp_path, study)
    for _ in range(6):
        job = next_job(first)
        first.on_measured(job, replace(world.measure(job.training), weights=job.training.key.encode()))
    again = make_driver(store, spec, tmp_path, study)
    assert [job.training for job in drive(again, world)] == [job.training for job in jobs[6:]]
    assert again.decision() == whole.decision()


@pytest.mark.parametrize(("repeats", "left", "kept"), [(1, 60, False), (1, 0, True), (2, 0, True)])
def test_weights_are_kept_where_a_model_may_need_them(
    store: Store, tmp_path: Path, repeats: int, left: int, kept: bool
) -> None:
    """A pair that was given up is no part of any model; one that took all its steps may be, at another threshold."""
    spec = make_spec(2, repeats=repeats, depths=[4, 8])
    study = new_study(store, spec)
    driver = make_driver(store, spec, tmp_path, study)
    world, checkpoints, done = (
        World({("a", "b", 4): 0.0, ("a", "b", 8): 0.5}),
        Checkpoints(tmp_path, study),
        list[Job](),
    )
    while not isinstance(driver.decision(), Settled):
        job = next_job(driver)
        is_out = job.training.shared == 8 and len(job.training.tasks) == 2
        measured = replace(world.measure(job.training), weights=job.training.key.encode())
        driver.on_measured(job, replace(measured, steps_left=left) if is_out else measured)
        done.append(job)
        if is_out and not kept:
            with pytest.raises(Unavailable):
                checkpoints.load(job.training)
        else:
            assert checkpoints.load(job.training) == job.training.key.encode()
    assert len(done) > 2


def test_what_confirms_a_tree_is_trained_to_its_end_and_keeps_its_weights(store: Store, tmp_path: Path) -> None:
    """A further seed of the tree breaks the threshold here: it is measured on test like the others."""
    spec = make_spec(2, depths=[8], confirm=2)
    study = new_study(store, spec)
    driver = make_driver(store, spec, tmp_path, study)
    world, jobs = World({("a", "b", 8): 0.0}), list[Job]()
    while not isinstance(decision := driver.decision(), Settled):
        job = next_job(driver)
        measured = world.measure(job.training)
        if job.training.is_confirming:
            assert decision.stage is Stage.VERIFICATION
            assert job.stopping is None
            measured = measurement(dict.fromkeys(job.training.tasks, 0.3))
        driver.on_measured(job, replace(measured, weights=job.training.key.encode()))
        jobs.append(job)
    further = [job for job in jobs if job.training.is_confirming]
    assert [(job.training.tasks, job.seed) for job in further] == [
        (tasks, seed) for seed in (100, 101) for tasks in (("a",), ("b",), ("a", "b"))
    ]
    for job in further:
        assert Checkpoints(tmp_path, study).load(job.training) == job.training.key.encode()
    resumed = make_driver(store, spec, tmp_path, study)
    assert resumed.decision() == decision
    assert resumed.snapshot()[0].trials_done == len(jobs)


def test_every_training_starts_from_the_trunk_of_its_seed(store: Store, tmp_path: Path) -> None:
    spec = make_spec(3, repeats=2, training={"epochs": 8, "start": "trunk"})
    study = new_study(store, spec)
    driver = make_driver(store, spec, tmp_path, study)
    first, second = next_job(driver), next_job(driver)
    assert [job.training.is_trunk for job in (first, second)] == [True, True]
    assert (first.training.tasks, first.training.shared, first.start, first.epochs) == (("a", "b", "c"), 8, None, 2)
    assert driver.next_job() is None, "everything else waits for a trunk"
    finish(driver, second, a=0.8, b=0.8, c=0.8)
    waiting = next_job(driver)
    assert (waiting.training.tasks, waiting.training.repeat, waiting.epochs) == (("a",), 1, 6)
    assert isinstance(waiting.start, Trunk)
    assert waiting.start.weights == second.training.key.encode()
    _, running = driver.snapshot()
    assert [one.trunk for one in running] == [True, False]
    finish(driver, first, a=0.8, b=0.8, c=0.8)
    finish(driver, waiting, a=0.8)
    trunks = {job.seed: job.training.key.encode() for job in (first, second)}
    jobs = drive(driver, World(cells={}, elsewhere=0.0))
    assert {len(job.training.tasks) for job in jobs} == {1, 2, 3}
    assert all(isinstance(job.start, Trunk) and job.start.weights == trunks[job.seed] for job in jobs)


def test_a_trunk_whose_weights_are_lost_is_trouble_of_the_environment(store: Store, tmp_path: Path) -> None:
    spec = make_spec(2, training={"epochs": 8, "start": "trunk"})
    study = new_study(store, spec)
    finish(driver := make_driver(store, spec, tmp_path, study), next_job(driver), a=0.8, b=0.8)
    (checkpoint,) = (tmp_path / "studies" / study / "checkpoints").iterdir()
    assert next_job(make_driver(store, spec, tmp_path, study)).start, "a resumed study reads it"
    checkpoint.unlink()
    with pytest.raises(Unavailable, match=checkpoint.name):
        make_driver(store, spec, tmp_path, study).next_job()


def test_a_trunk_that_fails_ends_the_study(store: Store, tmp_path: Path) -> None:
    spec = make_spec(2, training={"epochs": 8, "start": "trunk"})
    driver = make_driver(store, spec, tmp_path)
    driver.on_failed(next_job(driver), "the loss is nan")
    with pytest.raises(TrainingFailed, match=r"training the trunk of a\+b sharing 8 blocks failed: the loss is nan"):
        driver.next_job()


def test_progress_counts_what_is_done_under_way_and_to_come(store: Store, tmp_path: Path) -> None:
    driver = make_driver(store, make_spec(3), tmp_path)
    assert driver.report()[0] is None
    first, second = next_job(driver), next_job(driver)
    driver.on_progress(second, 0.5, "host:7")
    stage, progress, running = driver.report()
    assert (stage, progress.trials_done, progress.trials_planned) == (Stage.BASELINES, 0, 3 + 3 + 1)
    assert progress.fraction == pytest.approx(0.5 / 7)
    assert (progress.eta_seconds, progress.eta_seconds_at_most) == (None, None)  # nobody knows how long one takes
    assert progress.trials_at_most == 3 + 3 * 5 + 2 * 8 + 1
    assert [(one.tasks, one.shared, one.fraction, one.worker) for one in running] == [
        (("a",), 8, 0.0, ""),
        (("b",), 8, 0.5, "host:7"),
    ]
    finish(driver, first, a=0.8)
    progress = driver.snapshot()[0]
    assert (progress.trials_done, progress.trials_planned, progress.eta_seconds) == (1, 7, None)
    driver.decision()
    progress = driver.snapshot()[0]
    assert (progress.trials_done, progress.trials_planned) == (1, 7)
    assert progress.eta_seconds is not None
    assert progress.eta_seconds_at_most is not None
    assert 0 < progress.eta_seconds < progress.eta_seconds_at_most
    assert [one.tasks for one in driver.snapshot()[1]] == [("b",)]
    finish(driver, second, b=0.8)
    drive(driver, World(elsewhere=0.0, worst_tree=0.0))
    progress, running = driver.snapshot()
    assert (progress.trials_done, progress.trials_planned, progress.fraction, running) == (7, 7, 1.0, ())
    assert (progress.eta_seconds, progress.eta_seconds_at_most, progress.trials_at_most) == (None, None, None)


def test_a_failed_training_is_recorded_and_ends_the_study(store: Store, tmp_path: Path) -> None:
    spec = make_spec(2)
    study = new_study(store, spec)
    driver = make_driver(store, spec, tmp_path, study)
    driver.on_failed(next_job(driver), "the loss is nan")
    (trial,) = store.ledger(study).trials()
    assert (trial.state, trial.error) == (TrialState.FAILED, "the loss is nan")
    for resumed in (driver, make_driver(store, spec, tmp_path, study)):
        with pytest.raises(TrainingFailed, match="training a sharing 8 blocks failed: the loss is nan"):
            resumed.next_job()


def test_time_that_a_study_was_worked_on_before_counts_for_its_budget(store: Store, tmp_path: Path) -> None:
    spec = make_spec(2, budget={"seconds": 1000})
    study = new_study(store, spec)
    driver = StudyDriver(spec, Records(store, lease_of(store, study)), Checkpoints(tmp_path, study), busy_before=2000)
    assert len(drive(driver, World(elsewhere=0.0))) == 2
    decision = driver.decision()
    assert isinstance(decision, Settled)
    assert "the budget ended before all questions were answered" in (decision.reason or "")


def test_weights_that_can_not_be_written_leave_no_trial(store: Store, tmp_path: Path) -> None:
    spec = make_spec(2)
    study = new_study(store, spec)
    (tmp_path / "studies").write_text("a file in the way")
    driver = make_driver(store, spec, tmp_path, study)
    with pytest.raises(Unavailable, match="a checkpoint can't be written"):
        finish(driver, next_job(driver), a=0.8)
    assert store.ledger(study).trial_count() == 0
    assert isinstance(make_driver(store, spec, tmp_path, study).decision(), Ask)
