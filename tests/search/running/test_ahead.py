"""Drivers that train ahead: what changes by it, and what must not."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskgraft.errors import Unavailable
from taskgraft.evaluators.open_training import Look
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.records import Records
from taskgraft.search.running.reuse import Reuse
from taskgraft.search.store import Store
from taskgraft.search.strategies.strategy import Settled
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.curves import CurveWorld, cases
from tests.search.running.test_reuse import digest_of
from tests.search.store.samples import lease_of
from tests.search.worlds import make_spec
from tests.stores import new_store

GROUPS_OF_THREE = {"tasks": 3, "strategy": "groups", "depths": [4, 8]}
HALVES = {("a", "c"), ("b", "d")}
KEEPS, BREAKS = CurveWorld(worst_tree=0.0), CurveWorld(worst_tree=0.3, seed=2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store.db") as store:
        yield store


class Workers:
    """Workers that end in any order, and ask between as Ray Tune does; they look after each step of a training."""

    def __init__(self, store: Store, folder: Path, spec: StudySpec, train_ahead: int, count: int = 2) -> None:
        self.store, self.folder, self.spec = store, folder, spec
        self.study = store.create_study(spec)[0].id
        self.train_ahead, self.count = train_ahead, count
        self.under_way: list[Job] = []
        self.trained: list[Training] = []
        self.stopped: list[Training] = []
        self.opened: list[Training] = []
        """What began before its baselines had ended."""
        self.looks: dict[int, Iterator[Look]] = {}
        """What the open jobs under way are still to find, by job."""
        self.driver = self.new_driver()

    def new_driver(self) -> StudyDriver:
        checkpoints = Checkpoints(self.folder, self.study)
        records = Records(self.store, lease_of(self.store, self.study))
        reuse = Reuse(self.spec, records, checkpoints)
        return StudyDriver(
            self.spec,
            records,
            checkpoints,
            reuse=reuse,
            digest_of=lambda job: self.study + digest_of(job),  # nothing is taken over from other studies
            train_ahead=self.train_ahead,
        )

    def killed(self) -> None:
        """The process is gone; another one takes the study up."""
        self.under_way.clear()
        self.looks.clear()
        self.driver = self.new_driver()

    def fill(self) -> None:
        """Start what there is to start.

        Raises:
            StopIteration: the search is over.
        """
        while len(self.under_way) < self.count:
            job = self.driver.next_job()
            if job is None:
                return
            assert job.training not in {one.training for one in self.under_way}
            self.under_way.append(job)
            if job.is_open:
                self.opened.append(job.training)

    def look(self) -> None:
        """Stop what is not needed any more."""
        for job in list(self.under_way):
            if not self.driver.is_needed(job, len(self.under_way) < self.count):
                self.under_way.remove(job)
                self.stopped.append(job.training)
                self.driver.on_stopped(job)

    def evaluate(self, job: Job, world: CurveWorld) -> bool:
        """Take an open job to its next evaluation; return whether it goes on."""
        look = next(self.looks.setdefault(id(job), world.looks(job)))
        self.driver.on_look(job, look)
        if not look.is_last and self.driver.is_needed(job, len(self.under_way) < self.count):
            self.driver.on_progress(job, look.step / look.planned_steps, "host:1")
            return True
        self.under_way.remove(job)
        self.driver.on_stopped(job)
        return False

    def end(self, job: Job, world: CurveWorld) -> None:
        if job.is_open:
            while self.evaluate(job, world):
                pass
            return
        self.under_way.remove(job)
        self.trained.append(job.training)
        self.driver.on_measured(job, world.train(job))

    def run(self, world: CurveWorld, order: random.Random, between: Callable[[], object] = lambda: None) -> Settled:
        with suppress(StopIteration):
            while True:
                self.fill()
                self.look()
                opened = [job for job in self.under_way if job.is_open]
                if opened and order.random() < 0.5:
                    self.evaluate(order.choice(opened), world)
                elif len(self.under_way) == self.count or order.random() < 0.8:
                    self.end(order.choice(self.under_way), world)
                between()
        assert not any(map(self.driver.is_needed, self.under_way))
        decision = self.driver.decision()
        assert isinstance(decision, Settled)
        return decision

    def both(self) -> tuple[Job, Job]:
        """The training that was asked for, and the one that is made ahead."""
        (asked,), (ahead,) = (
            [
                job
                for job, shown in zip(self.under_way, self.driver.snapshot()[1], strict=True)
                if shown.ahead is is_ahead
            ]
            for is_ahead in (False, True)
        )
        return asked, ahead

    def measured(self) -> dict[Training, tuple[object, bytes | None]]:
        """What every training measured, and its weights if they are kept."""
        checkpoints = Checkpoints(self.folder, self.study)
        found: dict[Training, tuple[object, bytes | None]] = {}
        for trial in self.store.ledger(self.study).trials():
            assert trial.measurement
            weights = None
            with suppress(Unavailable):
                weights = checkpoints.load(trial.training)
            found[trial.training] = trial.measurement.to_json(), weights
        return found

    def ledger(self) -> list[Training]:
        return [trial.training for trial in self.store.ledger(self.study).trials()]


def are_of_the_whole(training: Training, found: bytes | None, expected: bytes | None) -> bool:
    """Whether a probe has the weights of a later step of the very same training.

    If that was trained to its end ahead, it answers for the probe, which needs no weights: it is never delivered.
    """
    if not training.is_probe or found is None or expected is None:
        return False
    (mine, step), (theirs, earlier) = found.rsplit(b" ", 1), expected.rsplit(b" ", 1)
    return mine == theirs and int(step) > int(earlier)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases(), st.booleans(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_training_ahead_changes_neither_the_result_nor_what_is_asked_for(
    store: Store,
    tmp_path: Path,
    case: tuple[dict[str, object], CurveWorld],
    by_trees: bool,
    train_ahead: int,
    order: random.Random,
) -> None:
    more, world = case
    if by_trees and more["tasks"] != 1:
        more = {**more, "strategy": "trees"}
    spec = make_spec(**more)  # type: ignore[arg-type]
    alone = Workers(store, tmp_path / "alone", spec, train_ahead=0, count=1)
    ahead = Workers(store, tmp_path / "ahead", spec, train_ahead, count=1 + order.randrange(1, 4))
    settled = alone.run(world, random.Random(0))
    kills = {order.randrange(40), order.randrange(40)}
    moments = count()

    def kill() -> None:
        if next(moments) in kills:
            ahead.killed()

    assert ahead.run(world, order, kill) == settled
    found = ahead.measured()
    for training, measured in alone.measured().items():
        assert found[training][0] == measured[0]
        assert found[training][1] == measured[1] or are_of_the_whole(training, found[training][1], measured[1])
    assert set(ahead.ledger()) >= set(alone.ledger())
    if more["strategy"] != "groups":  # the order of answers may decide which groups are tried beside each other
        assert sorted(one.key for one in ahead.ledger()) == sorted(one.key for one in alone.ledger())
    assert len(ahead.ledger()) == len(set(ahead.ledger()))
    assert len(ahead.trained) == len(set(ahead.trained))  # nothing is trained twice, kills or not


def up_to_the_group(store: Store, folder: Path, **more: object) -> Workers:
    """A study whose baselines are known, and whose first group and a training ahead are under way."""
    spec = make_spec(**{**GROUPS_OF_THREE, **more})  # type: ignore[arg-type]
    workers = Workers(store, folder, spec, train_ahead=1)
    while len(workers.trained) < len(spec.tasks):
        workers.fill()
        workers.end(workers.under_way[0], KEEPS)
    workers.fill()
    return workers


def group(shared: int) -> Training:
    return Training(BranchTree.flat("abc", shared, 8), is_probe=True)


def test_a_free_core_trains_what_the_likely_answer_would_ask_for(store: Store, tmp_path: Path) -> None:
    workers = up_to_the_group(store, tmp_path)
    assert [job.training for job in workers.under_way] == [group(8), group(4)]
    first, second = workers.both()
    progress, running = workers.driver.snapshot()
    assert [trial.ahead for trial in running] == [False, True]
    workers.driver.on_progress(second, 1.0, "host:1")
    assert workers.driver.snapshot()[0].fraction == progress.fraction
    workers.end(second, BREAKS)
    assert group(4) not in workers.ledger()
    assert workers.driver.snapshot()[0].trials_done == 3
    workers.fill()
    workers.end(first, BREAKS)
    workers.driver.take_over()
    assert workers.ledger()[3:] == [group(8), group(4)]
    assert [trial.taken_over_from for trial in store.ledger(workers.study).trials()] == [None] * 5


def test_a_training_that_is_asked_for_while_it_is_under_way_is_ahead_no_more(store: Store, tmp_path: Path) -> None:
    workers = up_to_the_group(store, tmp_path)
    first, second = workers.both()
    workers.end(first, BREAKS)
    workers.fill()
    assert not next(trial.ahead for trial in workers.driver.snapshot()[1])
    assert workers.driver.is_needed(second, is_core_free=False)
    workers.end(second, BREAKS)
    assert workers.ledger()[3:] == [group(8), group(4)]


def test_a_wrong_guess_is_stopped_and_the_end_does_not_wait_for_it(store: Store, tmp_path: Path) -> None:
    workers = up_to_the_group(store, tmp_path)
    first, second = workers.both()
    assert workers.driver.is_needed(second, is_core_free=False)
    workers.end(first, KEEPS)
    assert not workers.driver.is_needed(second)
    while not isinstance(workers.driver.decision(), Settled):
        job = next(job for job in (workers.driver.next_job(),) if job)
        workers.under_way.append(job)
        workers.end(job, KEEPS)
    with pytest.raises(StopIteration):
        workers.driver.next_job()
    assert not workers.driver.is_needed(second)
    workers.driver.on_stopped(second)
    assert workers.driver.snapshot()[1] == ()
    assert group(4) not in workers.ledger()


def test_a_guess_makes_room_for_what_is_asked_for(store: Store, tmp_path: Path) -> None:
    """Affinities put a and c into one half, which nobody could know before."""
    workers = up_to_the_group(store, tmp_path, tasks=4, depths=[8])
    first, second = workers.both()
    assert second.training.tasks == ("a", "b")
    workers.end(first, BREAKS)
    workers.fill()
    workers.look()
    workers.fill()
    assert workers.stopped == [second.training]
    assert {job.training.tasks for job in workers.under_way} == HALVES


def test_a_training_ahead_that_fails_is_no_matter(store: Store, tmp_path: Path) -> None:
    workers = up_to_the_group(store, tmp_path)
    first, second = workers.both()
    workers.driver.on_failed(second, "the loss is nan")
    workers.under_way.remove(second)
    assert group(4) not in workers.ledger()
    workers.fill()
    assert group(4) not in {job.training for job in workers.under_way}
    workers.end(first, BREAKS)
    workers.look()
    workers.fill()
    assert group(4) in {job.training for job in workers.under_way}


@pytest.mark.parametrize("more", [{"budget": {"trials": 30}}, {}])
def test_a_budget_of_trials_leaves_no_room(store: Store, tmp_path: Path, more: dict[str, object]) -> None:
    workers = up_to_the_group(store, tmp_path, **more)
    assert len(workers.under_way) == (1 if more else 2)


def test_when_the_time_is_up_nothing_is_trained_ahead(store: Store, tmp_path: Path) -> None:
    workers = up_to_the_group(store, tmp_path, budget={"seconds": 1000})
    assert len(workers.under_way) == 2
    _, second = workers.both()
    records, checkpoints = Records(store, lease_of(store, workers.study)), Checkpoints(tmp_path, workers.study)
    late = StudyDriver(workers.spec, records, checkpoints, 2000, reuse=Reuse(workers.spec, records, checkpoints))
    with pytest.raises(StopIteration):
        late.next_job()
    assert second.training not in workers.ledger()


def test_what_was_trained_ahead_is_found_again_after_a_crash(store: Store, tmp_path: Path) -> None:
    workers = up_to_the_group(store, tmp_path)
    workers.end(workers.under_way[1], BREAKS)
    workers.killed()
    workers.fill()
    assert [job.training for job in workers.under_way][:1] == [group(8)]
    assert group(4) not in [job.training for job in workers.under_way]
    workers.end(workers.under_way[0], BREAKS)
    workers.driver.take_over()
    assert group(4) in workers.ledger()
    assert workers.trained.count(group(4)) == 1


def test_the_least_time_takes_what_is_done_ahead_into_account(store: Store, tmp_path: Path) -> None:
    workers = up_to_the_group(store, tmp_path)
    before = workers.driver.snapshot()[0].eta_seconds
    workers.end(workers.under_way[1], replace(BREAKS, seed=2))
    after = workers.driver.snapshot()[0].eta_seconds
    assert before is not None
    assert after is not None
    assert after <= before
