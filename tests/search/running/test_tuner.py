"""Real trainings on a real local Ray: what comes back, what happens when a worker raises or dies, what is printed."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import ray

from taskgraft.errors import Conflict, Unavailable
from taskgraft.evaluators.features import Normalisation
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.open_training import Look, OpenTraining
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.ray_session import ray_session
from taskgraft.search.running.tuner import run_jobs
from taskgraft.search.study.machines import Machines
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree

pytestmark = pytest.mark.slow(8)

SCHEDULE = Schedule(4, 12, Optimisation(0.003))
TREES = [
    BranchTree.flat(["pitch"], 8, 8),
    BranchTree.flat(["shape"], 8, 8),
    BranchTree.flat(["pitch", "shape"], 6, 8),
    BranchTree.flat(["loud"], 8, 8),
]


@dataclass
class Queue:
    """A driver that wants some trainings, whatever they measure."""

    waiting: list[Job]
    one_by_one: bool = False
    """Whether to ask for a job only when none is under way: a test of one worker's ways waits for no second one."""
    open_before: list[int] = field(default_factory=list)
    """Jobs that were under way each time that one was asked for."""
    measured: dict[Training, Measurement] = field(default_factory=dict)
    failed: dict[Training, str] = field(default_factory=dict)
    stopped: list[Training] = field(default_factory=list)
    opened: dict[Training, OpenTraining] = field(default_factory=dict)
    stop: bool = False
    needed: Callable[[Job], bool] = lambda job: True
    progress: Callable[[Job, float, str], None] = lambda job, fraction, worker: None
    recorded: Callable[[], None] = lambda: None

    def next_job(self) -> Job | None:
        if not self.waiting:
            raise StopIteration
        ended = len(self.measured) + len(self.failed)
        if self.one_by_one and len(self.open_before) > ended + len(self.stopped):
            return None
        self.open_before.append(len(self.open_before) - ended)
        return self.waiting.pop(0)

    def on_progress(self, job: Job, fraction: float, worker: str) -> None:
        self.progress(job, fraction, worker)

    def on_measured(self, job: Job, measurement: Measurement) -> None:
        self.recorded()
        self.measured[job.training] = measurement

    def on_look(self, job: Job, look: Look) -> None:
        self.opened.setdefault(job.training, OpenTraining()).add(look)

    def on_failed(self, job: Job, error: str) -> None:
        self.failed[job.training] = error

    def is_needed(self, job: Job, is_core_free: bool = True) -> bool:
        return self.needed(job)

    def on_stopped(self, job: Job) -> None:
        self.stopped.append(job.training)

    def should_stop(self) -> bool:
        return self.stop


def jobs(count: int = len(TREES), epochs: int = SCHEDULE.epochs) -> list[Job]:
    return [Job(Training(tree), 0, dict.fromkeys(tree.tasks, 0.5), epochs) for tree in TREES[:count]]


def digests(driver: Queue) -> dict[Training, str]:
    return {
        training: hashlib.sha256(measured.weights or b"").hexdigest() for training, measured in driver.measured.items()
    }


def pid(worker: str) -> int:
    return int(worker.rpartition(":")[2])


@pytest.fixture(scope="module")
def session() -> Iterator[None]:
    with ray_session(Machines(cores=2)):
        yield


@pytest.fixture(scope="module")
def undisturbed(session: None, beeps_data: StudyData, tmp_path_factory: pytest.TempPathFactory) -> Queue:
    driver = Queue(jobs())
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path_factory.mktemp("tuned") / "tune")
    return driver


def test_every_job_is_measured_on_workers_that_are_reused(undisturbed: Queue) -> None:
    assert {training.tree for training in undisturbed.measured} == set(TREES)
    assert not undisturbed.failed
    pids = {pid(measured.worker) for measured in undisturbed.measured.values()}
    assert len(pids) <= 2
    assert os.getpid() not in pids
    for training, measured in undisturbed.measured.items():
        assert set(measured.metrics) == set(measured.outcomes) == set(training.tasks)
        assert measured.steps == SCHEDULE.steps(36)
        assert measured.weights


def test_no_job_is_asked_for_before_there_is_a_core_for_it(
    session: None, beeps_data: StudyData, tmp_path: Path
) -> None:
    driver = Queue(jobs(3, epochs=60))
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert len(driver.measured) == 3
    assert driver.open_before == [0, 1, 1]


@dataclass
class Waves(Queue):
    """A driver that wants two trainings at a time, and nothing while any of them is under way, and shortly after."""

    ended: float = 0.0

    def next_job(self) -> Job | None:
        if len(self.open_before) % 2 == 0 and len(self.open_before) > len(self.measured):
            self.ended = time.monotonic()
        return None if time.monotonic() < self.ended + 0.5 else super().next_job()


def test_workers_that_are_free_at_the_same_time_are_both_kept(
    session: None, beeps_data: StudyData, tmp_path: Path
) -> None:
    driver = Waves(jobs(epochs=60))
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert driver.open_before == [0, 1, 0, 1]
    assert len({measured.worker for measured in driver.measured.values()}) == 2


def test_a_training_that_raises_is_told_with_its_reason_and_the_others_go_on(
    session: None, beeps_data: StudyData, tmp_path: Path, undisturbed: Queue, capfd: pytest.CaptureFixture[str]
) -> None:
    nan = replace(beeps_data, normalisation=Normalisation(np.full(64, np.nan, np.float32), np.ones(64, np.float32)))
    driver = Queue(jobs(2), one_by_one=True)
    run_jobs(driver, nan, SCHEDULE, tmp_path / "tune")
    assert not driver.measured
    assert sorted(driver.failed.values()) == [f"the loss of {task} is nan at step 0" for task in ("pitch", "shape")]
    assert capfd.readouterr() == ("", "")


def test_an_idle_worker_that_dies_costs_no_job(session: None, beeps_data: StudyData, tmp_path: Path) -> None:
    driver = Queue(jobs())
    workers: list[str] = []

    def kill() -> None:
        """The worker that has just ended a job; the next job is given to it."""
        if len(driver.measured) == 1:
            os.kill(pid(workers[-1]), signal.SIGKILL)

    driver.recorded = kill
    driver.progress = lambda job, fraction, worker: workers.append(worker)
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert not driver.failed
    assert len(driver.measured) == len(TREES)


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_no_result_and_one_that_always_dies_is_given_up(
    session: None, beeps_data: StudyData, tmp_path: Path, undisturbed: Queue
) -> None:
    killed: list[BranchTree] = []

    def kill(job: Job, fraction: float, worker: str) -> None:
        tree = job.training.tree
        if tree == TREES[0] or (tree == TREES[2] and tree not in killed and fraction < 1):
            killed.append(tree)
            os.kill(pid(worker), signal.SIGKILL)

    driver = Queue(jobs(3), progress=kill)
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert (killed.count(TREES[0]), killed.count(TREES[2])) == (3, 1)
    assert "died, 3 times" in driver.failed.pop(Training(TREES[0]))
    assert not driver.failed
    assert digests(driver) == {Training(tree): digests(undisturbed)[Training(tree)] for tree in TREES[1:3]}


def test_what_the_driver_raises_ends_the_jobs_and_comes_back_as_it_is(
    session: None, beeps_data: StudyData, tmp_path: Path, undisturbed: Queue, capfd: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise Unavailable("no space left")

    driver = Queue(jobs(), recorded=full)
    with pytest.raises(Unavailable, match="no space left"):
        run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert not driver.measured

    def nobody() -> Job | None:
        raise Conflict("not yours")

    driver = Queue([])
    driver.next_job = nobody  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="not yours"):
        run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert capfd.readouterr() == ("", "")


def test_jobs_stop_when_the_driver_wants_to(
    session: None, beeps_data: StudyData, tmp_path: Path, undisturbed: Queue, capfd: pytest.CaptureFixture[str]
) -> None:
    driver = Queue(jobs(epochs=200))
    driver.progress = lambda job, fraction, worker: setattr(driver, "stop", True)
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert not driver.measured
    assert not driver.failed
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_job_that_is_not_needed_any_more_makes_room_for_the_next(
    session: None, beeps_data: StudyData, tmp_path: Path, undisturbed: Queue
) -> None:
    seen: list[BranchTree] = []
    driver = Queue(jobs(), one_by_one=True, progress=lambda job, fraction, worker: seen.append(job.training.tree))
    driver.needed = lambda job: job.training.tree != TREES[0] or TREES[0] not in seen
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert driver.stopped == [Training(TREES[0])]
    assert not driver.failed
    assert digests(driver) == {Training(tree): digests(undisturbed)[Training(tree)] for tree in TREES[1:]}


def test_an_open_job_tells_every_evaluation_and_measures_the_same(
    session: None, beeps_data: StudyData, tmp_path: Path, undisturbed: Queue
) -> None:
    closed = jobs(3)[2]
    driver = Queue([replace(closed, references={}, is_open=True)])
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert (driver.stopped, driver.measured, driver.failed) == ([closed.training], {}, {})
    found = driver.opened[closed.training].resolve(closed.references, None)
    expected = undisturbed.measured[closed.training]
    assert found
    assert replace(found, seconds=0.0, worker="").to_full_json() == (
        replace(expected, seconds=0.0, worker="").to_full_json()
    )
    assert found.weights == expected.weights
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_open_job_whose_worker_is_killed_measures_the_same(
    session: None, beeps_data: StudyData, tmp_path: Path, undisturbed: Queue
) -> None:
    closed, killed = jobs(3)[2], list[float]()

    def kill(job: Job, fraction: float, worker: str) -> None:
        if not killed:
            killed.append(fraction)
            os.kill(pid(worker), signal.SIGKILL)

    driver = Queue([replace(closed, references={}, is_open=True)], progress=kill)
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert killed
    assert not driver.failed
    found = driver.opened[closed.training].resolve(closed.references, None)
    assert found
    assert found.weights == undisturbed.measured[closed.training].weights
    assert found.curve == undisturbed.measured[closed.training].curve


def test_the_end_does_not_wait_for_a_job_that_is_not_needed(
    session: None, beeps_data: StudyData, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Far longer than the other, but not endless: a worker is busy for a fifteenth of a training before it can end.
    long, short = Training(TREES[0]), Training(TREES[1])
    lengths = {long: 1_500, short: 4}
    driver = Queue([Job(one, 0, dict.fromkeys(one.tasks, 0.5), epochs) for one, epochs in lengths.items()])
    driver.needed = lambda job: job.training == short or not driver.measured
    run_jobs(driver, beeps_data, SCHEDULE, tmp_path / "tune")
    assert list(driver.measured) == [short]
    assert not driver.failed
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_lost_feature_file_is_trouble_of_the_environment(
    session: None, beeps_data: StudyData, tmp_path: Path, undisturbed: Queue
) -> None:
    pack = next(iter(beeps_data.packs.values()))
    data = replace(beeps_data, packs=dict.fromkeys(beeps_data.packs, replace(pack, folder=tmp_path / "gone")))
    with pytest.raises(Unavailable, match=r"FileNotFoundError: .*gone/frames\.npy"):
        run_jobs(Queue(jobs(1)), data, SCHEDULE, tmp_path / "tune")


def test_a_tune_folder_that_can_not_be_made_is_told(session: None, beeps_data: StudyData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="Ray Tune gave up"):
        run_jobs(Queue(jobs(1)), beeps_data, SCHEDULE, tmp_path / "file/tune")


def test_a_cluster_that_does_not_answer_is_told(session: None) -> None:
    ray.shutdown()
    with (
        pytest.raises(Unavailable, match=r"Ray does not answer at 127\.0\.0\.1:1"),
        ray_session(Machines("127.0.0.1:1")),
    ):
        pass
    assert not ray.is_initialized()


def test_a_local_ray_is_started_whatever_else_runs_on_the_machine() -> None:
    program = """if True:
        import ray
        from taskgraft.search.running.ray_session import ray_session
        from taskgraft.search.study.machines import Machines
        with ray_session(Machines(cores=1)):
            print(ray.cluster_resources()["CPU"])
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "RAY_ADDRESS": "127.0.0.1:1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1.0"), done.stderr


@pytest.mark.slow
def test_workers_that_ray_kills_for_want_of_memory_are_trouble_of_the_environment(tmp_path: Path) -> None:
    """In a process of its own: Ray's watch over memory is set as a session starts."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.search.hungry", str(tmp_path)],
        capture_output=True,
        check=False,
        text=True,
        timeout=240,
    )
    assert "Unavailable: Ray Tune gave up" in done.stderr
    assert "low on memory" in done.stderr
