"""The trade-off of a study that has ended, as its runner keeps it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from taskgraft.search.running.tradeoff import keep_tradeoff
from taskgraft.search.store import Store
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.space.tree import BranchTree
from tests.search.store.samples import LONG, ME
from tests.search.worlds import World, make_spec, simulate
from tests.stores import new_store

CELLS = {("a", "b", 8): 0.05, ("a", "b", 4): 0.01, ("a", "c", 4): 0.03, ("a", "c", 8): 0.3}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store.db") as store:
        yield store


def ended(store: Store, state: State) -> Study:
    """A sweep of three tasks, of which b and c share nothing."""
    spec = make_spec(3, strategy="exhaustive", depths=[4, 8])
    study = store.create_study(spec)[0]
    lease = store.acquire_study(study.id, ME, LONG).lease
    for trial in simulate(spec, World(CELLS, elsewhere=0.9, clips=1000)).trials:
        store.ledger(study.id).record(lease, trial.training, 0, trial.state, trial.measurement, value=0.0)
    return store.finish(lease, state)


def test_each_point_is_where_the_tree_changes(store: Store) -> None:
    study = ended(store, State.SUCCEEDED)
    keep_tradeoff(store, study, lambda: False)
    points = store.findings.tradeoff(study.id)
    assert [point.ar_threshold for point in points] == pytest.approx([0.0, 0.01, 0.05, 0.9])
    assert len({point.digest for point in points}) == 4
    sizes = [point.encoder_parameters for point in points]
    assert sizes == sorted(sizes, reverse=True)
    shared = [shared_depths(store, study, point.ar_threshold) for point in points]
    assert [list(depths.values()) for depths in shared] == [[0, 0, 0], [4, 0, 0], [8, 0, 0], [8, 8, 8]]


def shared_depths(store: Store, study: Study, threshold: float) -> dict[str, int]:
    document = store.findings.tree_at(study.id, threshold)
    assert document
    tree = BranchTree.from_json(document["root"], 8)
    return {first + second: tree.shared_depth(first, second) for first, second in ("ab", "ac", "bc")}


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_only_a_study_that_has_succeeded_has_one(store: Store, state: State) -> None:
    study = ended(store, state)
    keep_tradeoff(store, study, lambda: False)
    assert store.findings.tradeoff(study.id) == ()


def test_a_runner_that_stops_or_a_study_that_is_gone_leaves_it(store: Store) -> None:
    study = ended(store, State.SUCCEEDED)
    keep_tradeoff(store, study, lambda: True)
    assert store.findings.tradeoff(study.id) == ()
    store.delete_study(study.id)
    keep_tradeoff(store, study, lambda: False)
