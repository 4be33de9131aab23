"""What runners do with studies, on every database."""

import time
from itertools import product

import pytest
from sqlalchemy import create_engine, update

from taskgraft.errors import Conflict, InvalidInput, LeaseLost, NotFound
from taskgraft.search.store import Store
from taskgraft.search.store.tables import studies
from taskgraft.search.study.states import TRANSITIONS, Stage, State
from taskgraft.search.study.study import Progress, RunningTrial
from tests.contracts.store_workers import race, take_all
from tests.search.results import RESULT
from tests.search.store.samples import LONG, ME, OTHER, OVER, held_in, lease_of, make_study, study_in

HELD = (State.QUEUED, State.RUNNING, State.PAUSED, State.CANCELLING, State.CANCELLED)
ENDS = (State.QUEUED, State.PAUSED, State.SUCCEEDED, State.FAILED, State.CANCELLED)
NEW_STATES = {State.QUEUED: State.RUNNING, State.RUNNING: State.RUNNING, State.CANCELLING: State.CANCELLING}


class TestAcquire:
    def test_the_oldest_study_comes_first(self, store: Store) -> None:
        ids = [make_study(store).id for _ in range(3)]
        taken = [store.acquire(ME, LONG) for _ in range(3)]
        assert [(held.study.id, held.study.state) for held in taken if held] == [(one, State.RUNNING) for one in ids]

    def test_nothing_waits(self, store: Store) -> None:
        for state in (State.PAUSED, State.SUCCEEDED, State.FAILED, State.CANCELLED, State.RUNNING, State.CANCELLING):
            study_in(store, state)
        assert store.acquire(OTHER, LONG) is None

    @pytest.mark.parametrize("state", NEW_STATES)
    def test_a_study_whose_runner_is_gone_is_taken_over(self, store: Store, state: State) -> None:
        study = study_in(store, state)
        if state is not State.QUEUED:
            store.renew(lease_of(store, study.id), OVER)
        taken = store.acquire(OTHER, LONG)
        assert taken is not None
        assert (taken.study.id, taken.study.state) == (study.id, NEW_STATES[state])

    def test_a_study_that_was_resumed_waits_until_its_old_runner_lets_go(self, store: Store) -> None:
        study = held_in(store, State.QUEUED)
        assert store.acquire(OTHER, LONG) is None
        store.release(lease_of(store, study.id))
        taken = store.acquire(OTHER, LONG)
        assert taken is not None
        assert taken.study.id == study.id

    def test_processes_that_race_share_the_studies_out(self, store: Store, url: str) -> None:
        ids = {make_study(store).id for _ in range(40)}
        first, second = race(take_all, url)
        assert len(first) + len(second) == len(ids)
        assert {*first, *second} == ids

    def test_processes_that_race_share_out_what_a_dead_runner_left(self, store: Store, url: str) -> None:
        ids = [make_study(store).id for _ in range(20)]
        for study_id in ids:
            store.acquire_study(study_id, ME, OVER)
        first, second = race(take_all, url)
        assert sorted([*first, *second]) == sorted(ids)


class TestAcquireStudy:
    @pytest.mark.parametrize("state", [State.QUEUED, State.PAUSED])
    def test_one_that_waits(self, store: Store, state: State) -> None:
        study = study_in(store, state)
        assert store.acquire_study(study.id, ME, LONG).study.state is State.RUNNING

    @pytest.mark.parametrize("state", [State.RUNNING, State.CANCELLING, State.PAUSED])
    def test_one_that_another_runner_holds_is_refused_until_its_lease_runs_out(
        self, store: Store, state: State
    ) -> None:
        study = held_in(store, state)
        with pytest.raises(Conflict, match="no other runner holds"):
            store.acquire_study(study.id, OTHER, LONG)
        lease = lease_of(store, study.id)
        store.renew(lease, OVER)
        store.acquire_study(study.id, OTHER, LONG)
        with pytest.raises(LeaseLost, match=f"{ME} no longer holds it"):
            store.renew(lease, LONG)

    def test_ones_own_study_can_be_taken_again(self, store: Store) -> None:
        study = study_in(store, State.RUNNING)
        assert store.acquire_study(study.id, ME, LONG).study.state is State.RUNNING

    @pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
    def test_one_that_is_final_is_refused(self, store: Store, state: State) -> None:
        study = study_in(store, state)
        with pytest.raises(Conflict, match=f"is {state}"):
            store.acquire_study(study.id, ME, LONG)


class TestRenew:
    @pytest.mark.parametrize("state", HELD)
    def test_tells_the_runner_what_users_want(self, store: Store, state: State) -> None:
        assert store.renew(lease_of(store, held_in(store, state).id), LONG) is state

    def test_keeps_what_is_said_and_leaves_the_rest(self, store: Store) -> None:
        study = study_in(store, State.RUNNING)
        progress = Progress(trials_done=3, trials_planned=9, fraction=0.25, eta_seconds=1.5)
        running = (RunningTrial(("age", "gender"), 5, 0, 0.5, 12.5, "host:1"),)
        store.renew(lease_of(store, study.id), LONG, stage=Stage.PAIRS, progress=progress, running=running)
        store.renew(lease_of(store, study.id), LONG)
        found = store.get_study(study.id)
        assert (found.stage, found.progress, found.running) == (Stage.PAIRS, progress, running)
        store.renew(lease_of(store, study.id), LONG, running=())
        assert store.get_study(study.id).running == ()

    def test_a_lease_that_ran_out_is_kept_while_nobody_else_wants_it(self, store: Store) -> None:
        study = study_in(store, State.RUNNING)
        store.renew(lease_of(store, study.id), OVER)
        store.renew(lease_of(store, study.id), LONG)
        assert store.acquire(OTHER, LONG) is None

    def test_a_study_that_was_deleted_is_not_found(self, store: Store) -> None:
        study = held_in(store, State.PAUSED)
        lease = lease_of(store, study.id)
        store.delete_study(study.id)
        with pytest.raises(NotFound):
            store.renew(lease, LONG)

    def test_counts_the_seconds_that_runners_hold_a_study(self, store: Store) -> None:
        study = make_study(store)
        assert store.busy_seconds(study.id) == 0
        started = time.monotonic()
        first = store.acquire_study(study.id, ME, LONG).lease
        time.sleep(0.01)  # the clock of SQLite counts milliseconds
        store.renew(first, LONG)
        after_one = store.busy_seconds(study.id)
        time.sleep(0.01)
        store.finish(first, State.PAUSED)
        paused = store.busy_seconds(study.id)
        second = store.acquire_study(study.id, OTHER, LONG).lease
        assert store.busy_seconds(study.id) == paused
        time.sleep(0.01)
        store.renew(second, LONG)
        assert 0 < after_one < paused < store.busy_seconds(study.id) < time.monotonic() - started + 0.002


class TestFinish:
    @pytest.mark.parametrize(("before", "after"), list(product(HELD, ENDS)))
    def test_follows_the_table(self, store: Store, before: State, after: State) -> None:
        study = held_in(store, before)
        lease = lease_of(store, study.id)
        if after is before or after in TRANSITIONS[before]:
            assert store.finish(lease, after).state is after
            with pytest.raises(LeaseLost):
                store.renew(lease, LONG)
        else:
            with pytest.raises(Conflict, match=f"is {before}: only one that is") as caught:
                store.finish(lease, after)
            assert not isinstance(caught.value, LeaseLost)
            assert store.renew(lease, LONG) is before

    @pytest.mark.parametrize("state", [State.RUNNING, State.CANCELLING])
    def test_a_state_that_ends_nothing_is_refused(self, store: Store, state: State) -> None:
        study = study_in(store, State.RUNNING)
        with pytest.raises(InvalidInput, match="state: work on a study ends as"):
            store.finish(lease_of(store, study.id), state)

    def test_keeps_the_result_and_the_tree(self, store: Store) -> None:
        study = study_in(store, State.RUNNING)
        tree = {"schema": "taskgraft.tree/1", "root": {"tasks": ["age"], "blocks": [0, 8], "children": []}}
        store.finish(lease_of(store, study.id), State.SUCCEEDED, reason="all well", result=RESULT, tree=tree)
        found = store.get_study(study.id)
        assert (found.result, found.tree, found.reason) == (RESULT, tree, "all well")

    @pytest.mark.parametrize(
        ("was_verified", "high", "verdict"),
        [(True, 0.02, "verified"), (True, 0.03, "not_refuted"), (False, 0.02, "not_refuted")],
    )
    def test_a_result_from_before_there_were_three_verdicts_is_read(
        self, store: Store, url: str, was_verified: bool, high: float, verdict: str
    ) -> None:
        study = study_in(store, State.RUNNING)
        store.finish(lease_of(store, study.id), State.SUCCEEDED, result=RESULT)
        plain = {"verified": was_verified, "ar": 0.01, "ar_interval": [0.0, high]}
        plain |= {"parameters": 5, "independent_parameters": 9, "macs_per_second": 7}
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(update(studies).where(studies.c.id == study.id).values(result=plain))
        engine.dispose()
        found = store.get_study(study.id).result
        assert found is not None
        assert (found.verdict, found.verified, found.tasks) == (verdict, verdict == "verified", ())
        assert (found.ar_interval, found.verified_for) == ((0.0, high), None)

    def test_a_reason_may_quote_any_text(self, store: Store) -> None:
        reason = "nul \x00, half a pair \ud800, Ωμέγα, " + "long " * 10_000
        study = study_in(store, State.RUNNING)
        assert store.finish(lease_of(store, study.id), State.FAILED, reason=reason).reason == reason
        assert store.get_study(study.id).reason == reason

    def test_clears_what_was_running_and_a_new_start_clears_the_reason(self, store: Store) -> None:
        study = study_in(store, State.RUNNING)
        store.renew(lease_of(store, study.id), LONG, running=[RunningTrial(("age",), 8, 0, 0.5, 1.0, "host:1")])
        paused = store.finish(lease_of(store, study.id), State.PAUSED, reason="Ctrl-C")
        assert (paused.running, paused.reason) == ((), "Ctrl-C")
        assert store.acquire_study(study.id, OTHER, LONG).study.reason is None

    @pytest.mark.parametrize("state", HELD)
    def test_release_leaves_what_users_want(self, store: Store, state: State) -> None:
        study = held_in(store, state)
        expected = State.QUEUED if state is State.RUNNING else state
        lease = lease_of(store, study.id)
        assert store.release(lease).state is expected
        with pytest.raises(LeaseLost):
            store.release(lease)


def test_facts_are_kept_across_runners(store: Store) -> None:
    study = study_in(store, State.RUNNING)
    facts = {"datasets": {"speech": "sha256:00ff"}, "labels": {"age": ["old", "young"]}}
    store.set_facts(lease_of(store, study.id), facts)
    store.release(lease_of(store, study.id))
    assert store.acquire_study(study.id, OTHER, LONG).study.facts == facts
