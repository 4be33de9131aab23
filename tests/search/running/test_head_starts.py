"""Saved states between drivers: which job is given one, what it is worth for the time left, and when it is deleted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from taskgraft.errors import Unavailable
from taskgraft.evaluators.training_state import MAX_STATE_BYTES, PackedState
from taskgraft.search.running.artifacts import study_dir
from taskgraft.search.running.driver import StudyDriver
from taskgraft.search.running.jobs import Job
from taskgraft.search.strategies.strategy import Settled
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.curves import CurveWorld
from tests.search.running.test_reuse import Studies
from tests.search.worlds import make_spec
from tests.stores import new_store

STATE = b"how far it came"
WORLD = CurveWorld({("a", "b", 8): 0.0}, worst_tree=0.0)
PAIR = BranchTree.flat("ab", 8, 8)
PROBE = Training(PAIR, is_probe=True)


@pytest.fixture
def studies(tmp_path: Path) -> Iterator[Studies]:
    with new_store(tmp_path / "store.db") as store:
        yield Studies(store, tmp_path)


def new_study(studies: Studies) -> str:
    return studies.store.create_study(make_spec(2, depths=[4, 8], ar_threshold=0.1))[0].id


def train_until(driver: StudyDriver, wanted: Training) -> Job:
    """Train what is asked for, and leave a state of each accepted probe, until a training is asked for."""
    while True:
        job = driver.next_job()
        assert job
        if job.training == wanted:
            return job
        measured = WORLD.train(job)
        accepted = job.training.is_probe and measured.is_censored
        driver.on_measured(job, replace(measured, state=STATE) if accepted else measured)


def drive(driver: StudyDriver) -> list[Job]:
    done: list[Job] = []
    while True:
        try:
            job = driver.next_job()
        except StopIteration:
            return done
        assert job
        driver.on_measured(job, WORLD.train(job))
        done.append(job)


@pytest.fixture
def pair_study(studies: Studies) -> str:
    return new_study(studies)


def test_the_whole_training_is_given_the_state_of_its_probe(studies: Studies, pair_study: str) -> None:
    driver = studies.driver(pair_study)
    probe = train_until(driver, PROBE)
    assert (probe.saved, len(probe.stamp)) == (None, 64)
    driver.on_measured(probe, replace(WORLD.train(probe), state=STATE))
    assert studies.checkpoints(pair_study).has_state(PROBE)
    assert list(study_dir(studies.folder, pair_study).rglob("*.partial")) == []

    resumed = studies.driver(pair_study)
    whole = train_until(resumed, Training(PAIR))
    assert (whole.saved, whole.stamp) == (PackedState(STATE), probe.stamp)
    share = WORLD.train(probe).steps / WORLD.train(whole).steps
    assert [one.fraction for one in resumed.snapshot()[1]] == [share]
    resumed.on_measured(whole, WORLD.train(whole))
    assert not studies.checkpoints(pair_study).has_state(PROBE)
    assert isinstance(resumed.decision(), Settled)


def test_the_time_left_counts_no_step_twice(studies: Studies, pair_study: str) -> None:
    driver = studies.driver(pair_study)
    probe = train_until(driver, PROBE)
    driver.on_measured(probe, replace(WORLD.train(probe), state=STATE))
    driver.decision()
    with_state = driver.snapshot()[0]
    studies.checkpoints(pair_study).drop_states()
    without = studies.driver(pair_study)
    without.decision()
    from_scratch = without.snapshot()[0]
    assert with_state.eta_seconds is not None
    assert from_scratch.eta_seconds is not None
    assert with_state.eta_seconds < from_scratch.eta_seconds
    assert with_state.eta_seconds_at_most == from_scratch.eta_seconds_at_most, "the state may turn out to be damaged"


def test_without_a_state_the_training_begins_at_step_0(studies: Studies, pair_study: str) -> None:
    driver = studies.driver(pair_study)
    probe = train_until(driver, PROBE)
    driver.on_measured(probe, WORLD.train(probe))
    assert train_until(driver, Training(PAIR)).saved is None


def test_a_state_that_can_not_be_read_is_handed_on_to_be_refused(studies: Studies, pair_study: str) -> None:
    driver = studies.driver(pair_study)
    probe = train_until(driver, PROBE)
    driver.on_measured(probe, replace(WORLD.train(probe), state=STATE))
    (path,) = study_dir(studies.folder, pair_study).rglob("*.state")
    path.unlink()
    path.mkdir()
    assert studies.checkpoints(pair_study).load_state(PROBE) == PackedState(b"")
    path.rmdir()
    with path.open("wb") as file:
        file.truncate(2 * MAX_STATE_BYTES)
    found = studies.checkpoints(pair_study).load_state(PROBE)
    assert found
    assert len(found.content) == MAX_STATE_BYTES + 1, "no more than what shows that it is too large"


def test_a_state_that_can_not_be_written_leaves_no_trial(studies: Studies, pair_study: str) -> None:
    driver = studies.driver(pair_study)
    probe = train_until(driver, PROBE)
    before = studies.store.ledger(pair_study).trial_count()
    checkpoints = studies.checkpoints(pair_study)
    checkpoints._state_path(PROBE).mkdir(parents=True)
    with pytest.raises(Unavailable, match="a checkpoint can't be written"):
        driver.on_measured(probe, replace(WORLD.train(probe), state=STATE))
    assert studies.store.ledger(pair_study).trial_count() == before


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_probe_that_is_taken_over_comes_with_its_state_while_there_is_one(
    studies: Studies, pair_study: str, is_deleted: bool
) -> None:
    driver = studies.driver(pair_study)
    probe = train_until(driver, PROBE)
    driver.on_measured(probe, replace(WORLD.train(probe), state=STATE))
    if is_deleted:
        studies.checkpoints(pair_study).drop_states()
    other = new_study(studies)
    whole = train_until(studies.driver(other), Training(PAIR))
    assert whole.saved == (None if is_deleted else PackedState(STATE))
    studies.delete(pair_study)
    assert studies.checkpoints(other).has_state(PROBE) is not is_deleted


def test_what_is_taken_over_owes_nothing_to_a_probe_of_the_other_study(studies: Studies, pair_study: str) -> None:
    driver = studies.driver(pair_study)
    whole = train_until(driver, Training(PAIR))
    driver.on_measured(whole, replace(WORLD.train(whole), steps_before=10, seconds_before=1.0, remark="once damaged"))
    other = new_study(studies)
    assert drive(studies.driver(other)) == []
    for study, expected in ((pair_study, (70, 7.0, "once damaged")), (other, (80, 8.0, None))):
        found = next(one.measurement for one in studies.store.ledger(study).trials() if one.training == Training(PAIR))
        assert found
        assert (found.own_steps, found.own_seconds, found.remark) == expected
