"""What users do with studies, on every database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import pytest

from taskgraft.errors import Conflict, InvalidInput, NotFound
from taskgraft.search.store import Store
from taskgraft.search.study.comparison import Comparison, SearchEffort
from taskgraft.search.study.states import TRANSITIONS, State
from taskgraft.space.tree import BranchTree
from tests.contracts.store_workers import create_one, race
from tests.search.store.samples import LONG, ME, make_spec, make_study, record, study_in


class TestCreate:
    def test_a_new_study_is_queued_and_read_back_as_it_is(self, store: Store) -> None:
        study, is_new = store.create_study(make_spec())
        assert is_new
        assert (study.state, study.spec) == (State.QUEUED, make_spec())
        assert study.created_at.utcoffset() is not None
        assert store.get_study(study.id) == study

    def test_ids_sort_by_creation(self, store: Store) -> None:
        ids = [make_study(store).id for _ in range(20)]
        assert ids == sorted(ids)

    def test_without_a_key_every_call_makes_a_study(self, store: Store) -> None:
        assert make_study(store).id != make_study(store).id

    def test_a_specification_may_hold_any_text(self, store: Store) -> None:
        body = make_spec().to_plain()
        body["tasks"][0]["target"] = "nul \x00, Ωμέγα"
        study, _ = store.create_study(make_spec().parse(body))
        assert store.get_study(study.id).spec.tasks[0].target == body["tasks"][0]["target"]


class TestComparisons:
    def test_a_comparison_comes_back_as_it_was_and_is_found_by_its_parent(self, store: Store) -> None:
        parent, _ = store.create_study(make_spec())
        store.create_study(make_spec(), parent=parent.id)  # a tree at another threshold
        tree = BranchTree.flat("ab", 4, 8)
        effort = SearchEffort(7, 12.5, frozenset({"one", "two"}))
        asked = Comparison(("flat", "tag"), 3, 60_000, 2, tree, {("a", "b"): 6}, effort)
        made, _ = store.create_study(make_spec(), parent=parent.id, comparison=asked)
        assert store.get_study(made.id).comparison == asked
        assert store.comparisons_of(parent.id).items == (made,)
        assert store.comparisons_of(made.id).items == ()
        assert store.get_study(parent.id).comparison is None

    def test_a_comparison_has_the_label_that_it_trains_against_in_its_specification(self, store: Store) -> None:
        asked, spec = Comparison(("adversarial",), nuisance=("speaker", "speech")), make_spec()
        made, _ = store.create_study(spec.reading(asked.nuisance), idempotency_key="key", comparison=asked)
        assert store.get_study(made.id).spec.nuisance == ("speaker", "speech")
        again, is_new = store.create_study(spec.reading(asked.nuisance), idempotency_key="key", comparison=asked)
        assert (again, is_new) == (made, False)

    def test_what_is_compared_is_a_part_of_the_body(self, store: Store) -> None:
        asked = Comparison(("flat",))
        first, _ = store.create_study(make_spec(), idempotency_key="key", comparison=asked)
        later = replace(asked, groups=2)  # what follows from the study is no part of the request
        assert store.create_study(make_spec(), idempotency_key="key", comparison=later)[0] == first
        assert first.spec.nuisance is None
        for other in (
            None,
            Comparison(("tree",)),
            replace(asked, seeds=2),
            replace(asked, group_budget=1),
            replace(asked, nuisance=("room", None)),
        ):
            with pytest.raises(InvalidInput, match="Idempotency-Key"):
                store.create_study(make_spec(), idempotency_key="key", comparison=other)

    def test_no_study_has_such_an_id(self, store: Store) -> None:
        with pytest.raises(NotFound):
            store.comparisons_of("no id")


class TestIdempotency:
    def test_the_same_body_gives_the_first_study(self, store: Store) -> None:
        first, _ = store.create_study(make_spec(), idempotency_key="key")
        again, is_new = store.create_study(make_spec(), idempotency_key="key")
        assert (again, is_new) == (first, False)

    def test_the_first_study_is_given_as_it_stands_now(self, store: Store) -> None:
        first, _ = store.create_study(make_spec(), idempotency_key="key")
        store.cancel_study(first.id)
        assert store.create_study(make_spec(), idempotency_key="key")[0].state is State.CANCELLED

    def test_another_body_is_refused_and_queues_nothing(self, store: Store) -> None:
        store.create_study(make_spec("one"), idempotency_key="key")
        with pytest.raises(InvalidInput) as caught:
            store.create_study(make_spec("two"), idempotency_key="key")
        assert caught.value.faults[0].where == "Idempotency-Key"
        assert len(store.list_studies().items) == 1

    def test_a_key_is_free_again_when_its_study_is_deleted(self, store: Store) -> None:
        first, _ = store.create_study(make_spec("one"), idempotency_key="key")
        store.delete_study(first.id)
        assert store.create_study(make_spec("two"), idempotency_key="key")[1]

    def test_a_released_key_makes_another_study_and_the_first_one_stays(self, store: Store) -> None:
        first, _ = store.create_study(make_spec("one"), idempotency_key="key")
        store.release_key(first.id)
        second, is_new = store.create_study(make_spec("two"), idempotency_key="key")
        assert is_new
        assert store.study_of_key("key") == second
        assert store.get_study(first.id).spec == first.spec
        with pytest.raises(NotFound):
            store.release_key("0" * 16)

    @pytest.mark.parametrize("key", ["", "x" * 256, "nul \x00", "half \ud800", "line\n"])
    def test_an_odd_key_is_refused(self, store: Store, key: str) -> None:
        with pytest.raises(InvalidInput, match=r"Idempotency-Key: 1 to 255 printable characters"):
            store.create_study(make_spec(), idempotency_key=key)

    def test_threads_that_race_make_one_study(self, store: Store) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: store.create_study(make_spec(), idempotency_key="one"), range(16)))
        assert len({study.id for study, _ in made}) == 1
        assert sum(is_new for _, is_new in made) == 1

    def test_processes_that_race_make_one_study(self, url: str) -> None:
        made = race(create_one, url, processes=3)
        assert len({study_id for study_id, _ in made}) == 1
        assert sorted(is_new for _, is_new in made) == [False, False, True]


class TestRead:
    @pytest.mark.parametrize("study_id", ["", "nothing", "0" * 16, "\x00" * 16, "\ud800" * 16, "'; DROP TABLE x"])
    def test_an_unknown_id_is_not_found(self, store: Store, study_id: str) -> None:
        for ask in (store.get_study, store.cancel_study, store.delete_study, store.ledger, store.busy_seconds):
            with pytest.raises(NotFound, match="there is no study"):
                ask(study_id)
        with pytest.raises(NotFound):
            store.acquire_study(study_id, ME, LONG)

    def test_pages_hold_every_study_once_newest_first(self, store: Store) -> None:
        ids = [make_study(store).id for _ in range(5)]
        first = store.list_studies(limit=2)
        second = store.list_studies(limit=2, cursor=first.next_cursor)
        third = store.list_studies(limit=2, cursor=second.next_cursor)
        assert [study.id for page in (first, second, third) for study in page.items] == ids[::-1]
        assert third.next_cursor is None

    def test_a_full_last_page_has_no_cursor(self, store: Store) -> None:
        for _ in range(2):
            make_study(store)
        assert store.list_studies(limit=2).next_cursor is None

    def test_studies_that_come_and_go_meanwhile_move_no_page(self, store: Store) -> None:
        ids = [make_study(store).id for _ in range(5)]
        first = store.list_studies(limit=2)
        make_study(store)
        store.delete_study(ids[3])
        rest = store.list_studies(limit=10, cursor=first.next_cursor)
        assert [study.id for study in rest.items] == ids[2::-1]

    def test_one_state_only(self, store: Store) -> None:
        paused = [study_in(store, State.PAUSED).id for _ in range(3)]
        make_study(store)
        page = store.list_studies(State.PAUSED, limit=2)
        assert [study.id for study in page.items] == paused[:0:-1]
        assert [study.id for study in store.list_studies(State.PAUSED, 2, page.next_cursor).items] == paused[:1]

    @pytest.mark.parametrize("cursor", ["", "x", "?", "Ω", "AAAA", "MDAwMDAwMDAwMDAwMDAwMDA"])
    def test_a_cursor_that_no_page_gave_is_refused(self, store: Store, cursor: str) -> None:
        with pytest.raises(InvalidInput, match="cursor: the next_cursor of a page"):
            store.list_studies(cursor=cursor)

    @pytest.mark.parametrize("limit", [0, -1, 501])
    def test_a_limit_outside_the_rule_is_refused(self, store: Store, limit: int) -> None:
        with pytest.raises(InvalidInput, match=f"limit: 1 to 500 studies a page; got {limit}"):
            store.list_studies(limit=limit)


AFTER = {
    "cancel_study": {
        State.QUEUED: State.CANCELLED,
        State.PAUSED: State.CANCELLED,
        State.RUNNING: State.CANCELLING,
    },
    "pause_study": {State.QUEUED: State.PAUSED, State.RUNNING: State.PAUSED},
    "resume_study": {State.PAUSED: State.QUEUED},
}


class TestTransitions:
    @pytest.mark.parametrize(("action", "before"), list(product(AFTER, State)))
    def test_users_move_studies_along_the_table_only(self, store: Store, action: str, before: State) -> None:
        study = study_in(store, before)
        after = AFTER[action].get(before)
        if after is None:
            with pytest.raises(Conflict, match=f"is {before}: only one that is"):
                getattr(store, action)(study.id)
            assert store.get_study(study.id) == study
        else:
            assert after in TRANSITIONS[before]
            moved = getattr(store, action)(study.id)
            assert moved.state is after
            assert store.get_study(study.id) == moved
            assert moved.updated_at > study.updated_at

    @pytest.mark.parametrize("before", State)
    def test_only_a_study_that_does_not_run_is_deleted(self, store: Store, before: State) -> None:
        study = study_in(store, before)
        if before in {State.RUNNING, State.CANCELLING}:
            with pytest.raises(Conflict, match=f"is {before}"):
                store.delete_study(study.id)
            assert store.get_study(study.id) == study
        else:
            store.delete_study(study.id)
            with pytest.raises(NotFound):
                store.get_study(study.id)
            with pytest.raises(NotFound):
                store.delete_study(study.id)

    def test_threads_that_race_to_cancel_do_it_once(self, store: Store) -> None:
        study = make_study(store)

        def cancel(_: int) -> bool:
            try:
                return store.cancel_study(study.id).state is State.CANCELLED
            except Conflict:
                return False

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(cancel, range(8))) == 1


class TestDelete:
    def test_the_ledger_goes_too(self, store: Store) -> None:
        study = make_study(store)
        kept = make_study(store)
        for one in (study, kept):
            record(store, one.id)
        store.delete_study(study.id)
        with pytest.raises(NotFound):
            store.ledger(study.id)
        assert store.ledger(kept.id).trial_count() == 1
