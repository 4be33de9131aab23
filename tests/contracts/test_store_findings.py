"""Findings that were worked out beforehand, on every database: who may write them, and what is read back."""

from dataclasses import replace
from typing import Any

import pytest

from taskgraft.errors import Conflict, LeaseLost, NotFound
from taskgraft.search.store import Store
from taskgraft.search.store.findings import TradeoffPoint
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.states import State
from taskgraft.space.matrix import Cell, ReductionMatrix
from tests.search.store.samples import LONG, OTHER, TASKS, lease_of, make_spec, make_study, study_in

MATRIX = ReductionMatrix(
    TASKS,
    {
        ("age", "command"): {8: Cell(0.1 + 0.2, 1e-17, 0.7), 4: Cell(0.0)},
        ("age", "gender"): {6: Cell(1 / 3, 0.0, None, is_bound=True)},
    },
)
SMALL = ReductionMatrix(TASKS, {})
POINTS = (
    TradeoffPoint(0.0, "a" * 64, 12_345_678_901, None, {"ar_threshold": 0.0, "root": {"tasks": ["age"]}}),
    TradeoffPoint(0.1 + 0.2, "b" * 64, 1, 2, {"ar_threshold": 0.1 + 0.2, "root": {"tasks": ["gender"]}}),
)


def test_a_matrix_is_read_back_bit_by_bit(url: str, store: Store) -> None:
    study = study_in(store, State.RUNNING)
    assert (store.findings.matrix(study.id), store.findings.matrix_trials(study.id)) == (None, None)
    store.findings.keep_matrix(study.id, MATRIX, 7, lease_of(store, study.id))
    with Store(url) as other:
        assert other.findings.matrix_trials(study.id) == 7
        found = other.findings.matrix(study.id)
    assert found is not None
    assert (found[0], found[1]) == (MATRIX, 7)
    assert found[0].to_csv() == MATRIX.to_csv()


def test_a_matrix_of_fewer_trials_replaces_none_of_more(store: Store) -> None:
    study = study_in(store, State.RUNNING)
    store.findings.keep_matrix(study.id, MATRIX, 7, lease_of(store, study.id))
    store.findings.keep_matrix(study.id, SMALL, 6, lease_of(store, study.id))
    assert store.findings.matrix(study.id) == (MATRIX, 7)
    store.findings.keep_matrix(study.id, SMALL, 8, lease_of(store, study.id))
    assert store.findings.matrix(study.id) == (SMALL, 8)


def test_only_who_holds_a_study_writes_its_matrix(store: Store) -> None:
    study = study_in(store, State.RUNNING)
    lease = lease_of(store, study.id)
    for stranger in (Lease(study.id, OTHER, lease.epoch), replace(lease, epoch=lease.epoch + 1), None):
        with pytest.raises(Conflict):
            store.findings.keep_matrix(study.id, MATRIX, 7, stranger)
    store.release(lease)
    store.acquire_study(study.id, OTHER, LONG)
    with pytest.raises(LeaseLost):
        store.findings.keep_matrix(study.id, MATRIX, 7, lease)
    assert store.findings.matrix(study.id) is None


def test_whoever_works_it_out_writes_the_matrix_of_a_final_study(store: Store) -> None:
    study = study_in(store, State.SUCCEEDED)
    updated = store.get_study(study.id).updated_at
    store.findings.keep_matrix(study.id, MATRIX, 7)
    assert store.findings.matrix(study.id) == (MATRIX, 7)
    assert store.get_study(study.id).updated_at == updated


def test_a_tradeoff_is_read_back_and_answers_from_each_threshold_on(store: Store) -> None:
    study = study_in(store, State.SUCCEEDED)
    assert store.findings.tradeoff(study.id) == ()
    assert store.findings.tree_at(study.id, 0.5) is None
    for points in (POINTS, POINTS[:1]):  # the first one stays
        store.findings.keep_tradeoff(study.id, points)
    found = store.findings.tradeoff(study.id)
    assert [(point.ar_threshold, point.digest, point.encoder_parameters, point.parameters) for point in found] == [
        (point.ar_threshold, point.digest, point.encoder_parameters, point.parameters) for point in POINTS
    ]
    for threshold, point in ((0.0, 0), (0.3, 0), (0.1 + 0.2, 1), (0.99, 1)):
        assert store.findings.tree_at(study.id, threshold) == POINTS[point].document


def test_there_is_no_tradeoff_before_the_end(store: Store) -> None:
    with pytest.raises(Conflict):
        store.findings.keep_tradeoff(study_in(store, State.RUNNING).id, POINTS)


def test_findings_go_with_their_study(store: Store) -> None:
    study, left = study_in(store, State.SUCCEEDED), study_in(store, State.SUCCEEDED)
    for one in (study, left):
        store.findings.keep_matrix(one.id, MATRIX, 7)
        store.findings.keep_tradeoff(one.id, POINTS)
    store.delete_study(study.id)
    assert (store.findings.matrix(study.id), store.findings.tradeoff(study.id)) == (None, ())
    assert (store.findings.matrix_trials(left.id), len(store.findings.tradeoff(left.id))) == (7, 2)
    with pytest.raises(Conflict):
        store.findings.keep_matrix(study.id, MATRIX, 7)
    with pytest.raises(NotFound):
        store.findings.keep_matrix("no id", MATRIX, 7)


def test_a_list_says_of_each_study_what_it_is(store: Store) -> None:
    ids = [make_study(store, f"study-{number}").id for number in range(5)]
    store.pause_study(ids[1])
    page = store.summaries.page(limit=2)
    assert [(item.id, item.name) for item in page.items] == [(ids[4], "study-4"), (ids[3], "study-3")]
    rest = store.summaries.page(limit=3, cursor=page.next_cursor)
    assert ([item.id for item in rest.items], rest.next_cursor) == (ids[2::-1], None)
    (paused,) = store.summaries.page(State.PAUSED).items
    study = store.get_study(ids[1])
    for name in ("id", "state", "stage", "progress", "reason", "result", "parent", "created_at", "updated_at"):
        assert getattr(paused, name) == getattr(study, name)
    assert not paused.is_comparison
    assert store.summaries.standing(ids[1]).state is State.PAUSED
    with pytest.raises(NotFound):
        store.summaries.standing("0" * 16)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"name": "PLAIN"}, ["plain-2", "plain-1"]),
        ({"name": "1"}, ["plain-1"]),
        ({"name": "n_1"}, []),
        ({"name": "%"}, []),
        ({"name": "\0"}, []),
        ({"parent": "\0"}, []),
        ({"parent": "0" * 16}, []),
        ({"name": "plain", "state": State.PAUSED}, ["plain-2"]),
    ],
)
def test_a_list_is_filtered(store: Store, asked: dict[str, Any], found: list[str]) -> None:
    first, second, _ = (make_study(store, name) for name in ("plain-1", "plain-2", "other"))
    store.pause_study(second.id)
    child = store.create_study(make_spec("child"), parent=first.id)[0]
    assert [item.name for item in store.summaries.page(**asked).items] == found
    assert [item.id for item in store.summaries.page(parent=first.id).items] == [child.id]
