"""Datasets on every database: versions, checks under a lease, and who may delete what."""

from dataclasses import replace

import pytest

from taskgraft.errors import Conflict, Fault, InvalidInput, NotFound
from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.search.store import Store
from taskgraft.search.study.dataset import Dataset, DatasetState, Registered, Uploaded
from taskgraft.search.study.states import State
from tests.contracts.store_workers import race, take_all_datasets, upload_the_same, use_or_delete
from tests.evaluators.datasets.corpora import sound_corpus
from tests.search.store.samples import LONG, ME, OTHER, OVER, make_spec


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> CheckReport:
    rows = [f"{split}-cat.wav,0.01,0.03,meow" for split in ("train", "validation", "test")]
    return check_manifest(sound_corpus(tmp_path_factory.mktemp("corpus"), rows))


@pytest.fixture(scope="module")
def broken(report: CheckReport) -> CheckReport:
    return replace(report, faults=(Fault("manifest.csv:3", "a\0b \ud800"),), fault_count=150)


def add(store: Store, name: str = "zoo", content: str | None = None) -> Dataset:
    return store.datasets.add(name, Uploaded(f"folder-of-{name}"), content)[0]


def check(store: Store, report: CheckReport, name: str = "zoo") -> Dataset:
    """Have the newest version of a dataset checked."""
    dataset = store.datasets.acquire(ME, LONG)
    assert dataset is not None
    assert dataset.name == name
    return store.datasets.finish(dataset, ME, report, "f" * 64)


class TestVersions:
    def test_new_content_makes_a_new_version(self, store: Store) -> None:
        first, is_new = store.datasets.add("zoo", Registered("/data/zoo/manifest.csv"), "one")
        assert (first.version, first.state, is_new) == (1, DatasetState.CHECKING, True)
        assert store.datasets.add("zoo", Uploaded("other"), "one") == (first, False)
        assert add(store, content="two").version == 2
        assert add(store, content="one").version == 3
        assert (store.datasets.get("zoo").version, store.datasets.get("zoo", 1)) == (3, first)
        assert add(store).version == 4
        assert add(store).version == 5

    def test_what_is_broken_is_checked_again(self, store: Store, broken: CheckReport) -> None:
        add(store, content="one")
        check(store, broken)
        assert add(store, content="one").version == 2

    def test_a_report_comes_back_as_it_was(self, store: Store, report: CheckReport, broken: CheckReport) -> None:
        add(store)
        ready = check(store, report)
        assert (ready.state, ready.report, ready.fingerprint) == (DatasetState.READY, report, "f" * 64)
        assert store.datasets.get("zoo") == ready
        add(store)
        failed = check(store, broken)
        assert (failed.state, failed.report) == (DatasetState.BROKEN, broken)
        error = failed.faults()
        assert error.faults[0].where == "dataset"
        assert error.more == 149

    @pytest.mark.parametrize("name", ["none", "", "a\0b", "\ud800", "x" * 500])
    def test_what_is_not_there(self, store: Store, name: str) -> None:
        for action in (store.datasets.get, store.datasets.delete):
            with pytest.raises(NotFound, match="there is no dataset"):
                action(name)
        add(store)
        with pytest.raises(NotFound, match="with version 7"):
            store.datasets.get("zoo", 7)

    def test_pages_hold_the_newest_versions_by_name(self, store: Store) -> None:
        for name in ("b", "a", "C", "a", "d"):
            add(store, name)
        first = store.datasets.page(2)
        assert [(dataset.name, dataset.version) for dataset in first.items] == [("C", 1), ("a", 2)]
        second = store.datasets.page(2, first.next_cursor)
        assert [dataset.name for dataset in second.items] == ["b", "d"]
        assert second.next_cursor is None
        with pytest.raises(InvalidInput, match="1 to 500"):
            store.datasets.page(0)

    def test_the_same_content_at_once_is_one_version(self, store: Store, url: str) -> None:
        answers = race(upload_the_same, url, processes=3)
        assert sorted(answers) == [(1, False), (1, False), (1, True)]


class TestChecks:
    def test_the_oldest_comes_first_and_only_once(self, store: Store) -> None:
        names = [add(store, name).name for name in ("b", "a", "c")]
        taken = [store.datasets.acquire(ME, LONG) for _ in range(4)]
        assert [dataset and dataset.name for dataset in taken] == [*names, None]

    def test_processes_that_race_share_them_out(self, store: Store, url: str) -> None:
        names = [add(store, f"set-{number}").name for number in range(20)]
        first, second = race(take_all_datasets, url)
        assert sorted([*first, *second]) == sorted(names)

    def test_a_check_whose_runner_is_gone_is_taken_up_again(self, store: Store, report: CheckReport) -> None:
        add(store)
        lost = store.datasets.acquire(ME, OVER)
        assert lost is not None
        taken = store.datasets.acquire(OTHER, LONG)
        assert taken == replace(lost, updated_at=taken.updated_at) if taken else False
        for action in (
            lambda: store.datasets.renew(lost, ME, LONG, (1, 2)),
            lambda: store.datasets.release(lost, ME),
            lambda: store.datasets.finish(lost, ME, report, None),
        ):
            with pytest.raises(Conflict, match="no longer checks version 1 of zoo"):
                action()

    def test_progress_and_release(self, store: Store) -> None:
        add(store)
        dataset = store.datasets.acquire(ME, LONG)
        assert dataset is not None
        store.datasets.renew(dataset, ME, LONG, (3, 9))
        assert store.datasets.get("zoo").progress == (3, 9)
        store.datasets.release(dataset, ME)
        assert store.datasets.acquire(OTHER, LONG) is not None

    def test_a_dataset_of_the_same_name_that_was_made_since_is_another_one(
        self, store: Store, report: CheckReport
    ) -> None:
        add(store)
        old = store.datasets.acquire(ME, LONG)
        assert old is not None
        store.datasets.delete("zoo")
        add(store)
        assert store.datasets.acquire(ME, LONG) is not None
        with pytest.raises(Conflict):
            store.datasets.finish(old, ME, report, None)


class TestUse:
    @pytest.mark.parametrize("outcome", [DatasetState.READY, DatasetState.BROKEN])
    def test_a_study_waits_for_its_datasets(
        self, store: Store, report: CheckReport, broken: CheckReport, outcome: DatasetState
    ) -> None:
        add(store)
        waiting = store.create_study(make_spec(), datasets={"zoo": 1})[0]
        assert waiting.datasets == {"zoo": 1}
        ready = store.create_study(make_spec())[0]
        taken = store.acquire(ME, LONG)
        assert taken is not None
        assert taken.study.id == ready.id
        assert store.acquire(ME, LONG) is None
        check(store, report if outcome is DatasetState.READY else broken)
        add(store)  # a newer version that is being checked is none of its business
        taken = store.acquire(ME, LONG)
        assert taken is not None
        assert (taken.study.id, taken.study.datasets) == (waiting.id, {"zoo": 1})

    def test_what_an_unfinished_study_uses_is_not_deleted(self, store: Store) -> None:
        add(store)
        add(store, content="two")
        study = store.create_study(make_spec(), datasets={"zoo": 1})[0]
        with pytest.raises(Conflict, match=f"used by studies that are not finished: {study.id}"):
            store.datasets.delete("zoo")
        assert store.datasets.get("zoo").version == 2
        store.pause_study(study.id)
        with pytest.raises(Conflict):
            store.datasets.delete("zoo")
        assert store.cancel_study(study.id).state is State.CANCELLED
        assert store.datasets.folders() == {"folder-of-zoo"}
        assert store.datasets.delete("zoo") == (Uploaded("folder-of-zoo"),) * 2
        assert store.datasets.folders() == set()
        assert store.get_study(study.id).datasets == {"zoo": 1}

    def test_a_deleted_study_uses_nothing(self, store: Store) -> None:
        add(store)
        store.delete_study(store.create_study(make_spec(), datasets={"zoo": 1})[0].id)
        store.datasets.delete("zoo")

    def test_a_study_of_a_dataset_that_is_gone_is_not_created(self, store: Store) -> None:
        add(store)
        with pytest.raises(Conflict, match="other was deleted"):
            store.create_study(make_spec(), datasets={"zoo": 1, "other": 1})
        assert store.list_studies().items == ()

    def test_a_study_that_is_posted_again_keeps_its_versions(self, store: Store) -> None:
        add(store)
        first = store.create_study(make_spec(), idempotency_key="key", datasets={"zoo": 1})[0]
        add(store, content="two")
        again, is_new = store.create_study(make_spec(), idempotency_key="key", datasets={"zoo": 2})
        assert (again, is_new) == (first, False)
        assert store.knows_key("key")
        assert not store.knows_key("other")

    def test_using_and_deleting_at_once_leaves_no_study_without_its_data(self, store: Store, url: str) -> None:
        for _ in range(2):
            add(store, "wanted")
            answers = race(use_or_delete, url)
            assert sorted(answers) == ["done", "refused"]
            for study in store.list_studies().items:
                store.delete_study(study.id)
            if answers and store.datasets.folders():
                store.datasets.delete("wanted")
