"""Rounds of pruning as values, and what each of them goes on from."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.search.evidence.pruned import all_rounds, earlier_rounds
from taskgraft.search.study.pruning import Pruned, Pruning
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.prunings import prunings

WEIGHTS, SHARED, CHANNELS = Pruned
PAIR, COLUMNS = BranchTree.flat("ab", 8, 8), BranchTree.flat("ab", 0, 8)
ALONE = tuple(BranchTree.flat([task], 8, 8) for task in "ab")


@given(prunings(), prunings())
def test_plain_data_is_equal_for_equal_rounds_only(one: Pruning, other: Pruning) -> None:
    first, second = (json.dumps(pruning.to_json()) for pruning in (one, other))
    assert (first == second) is (one == other)
    assert Pruning.from_json(json.loads(first)) == one


@pytest.mark.parametrize(
    ("form", "keeps", "more"),
    [
        (WEIGHTS, (), {}),
        (SHARED, (), {"width": 2.0}),
        (CHANNELS, (), {}),
        (WEIGHTS, (5, 5), {}),
        (WEIGHTS, (5, 6), {}),
        (WEIGHTS, (5, 0), {}),
        (SHARED, (5, 5, 3), {}),
        (SHARED, (5, 0), {}),
        (SHARED, (0,), {}),
        (CHANNELS, (5, 4), {}),
        (CHANNELS, (0,), {}),
        (CHANNELS, (5,), {"width": 2.0}),
    ],
)
def test_there_is_no_round_that_means_nothing(form: Pruned, keeps: tuple[int, ...], more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"got|says what it leaves"):
        Pruning(form, keeps, **more)


@pytest.mark.parametrize(
    ("pruning", "earlier"),
    [
        (Pruning(WEIGHTS, (9,)), None),
        (Pruning(WEIGHTS, (9, 5), rewind=0.1), Pruning(WEIGHTS, (9,), rewind=0.1)),
        (Pruning(WEIGHTS, (9,), 2.0, 0.1), Pruning(WEIGHTS, (), 2.0)),
        (Pruning(WEIGHTS, (), 2.0), None),
        (Pruning(SHARED, (9, 5, 5), rewind=0.1), Pruning(WEIGHTS, (9, 5), rewind=0.1)),
        (Pruning(SHARED, (5,)), None),
        (Pruning(SHARED, (5,), 2.0), Pruning(WEIGHTS, (), 2.0)),
        (Pruning(CHANNELS, (700,)), None),
    ],
)
def test_the_round_before(pruning: Pruning, earlier: Pruning | None) -> None:
    assert pruning.earlier == earlier


def test_rounds_of_the_same_tree_begin_with_its_training() -> None:
    last = Training(PAIR, 3, is_probe=True, epochs=20, pruning=Pruning(WEIGHTS, (9, 5)))
    plain, first = replace(last, pruning=None), replace(last, pruning=Pruning(WEIGHTS, (9,)))
    assert all_rounds(last) == (plain, first, last)
    assert [earlier_rounds(one) for one in all_rounds(last)] == [(), (plain,), (first,)]


def test_rounds_of_another_width_begin_with_a_network_that_is_not_the_studys() -> None:
    last = Training(PAIR, pruning=Pruning(WEIGHTS, (9,), 2.17))
    assert all_rounds(last) == (replace(last, pruning=Pruning(WEIGHTS, (), 2.17)), last)


def test_channels_go_from_the_trained_tree() -> None:
    last = Training(COLUMNS, 1, pruning=Pruning(CHANNELS, (700,)))
    assert all_rounds(last) == (replace(last, pruning=None), last)


def test_tasks_that_share_weights_have_rounds_of_their_own() -> None:
    last = Training(COLUMNS, epochs=20, pruning=Pruning(SHARED, (9, 5, 6)))
    baselines = [Training(tree, epochs=20) for tree in ALONE]
    rounds = [[replace(one, pruning=Pruning(WEIGHTS, keeps)) for keeps in ((9,), (9, 5))] for one in baselines]
    assert earlier_rounds(last) == (rounds[0][-1], rounds[1][-1])
    assert all_rounds(last) == (baselines[0], *rounds[0], baselines[1], *rounds[1], last)
    assert earlier_rounds(replace(last, pruning=Pruning(SHARED, (6,)))) == tuple(baselines)


@given(prunings(), st.sampled_from([PAIR, COLUMNS, *ALONE]), st.integers(0, 101))
def test_everything_comes_before_what_goes_on_from_it(pruning: Pruning, tree: BranchTree, repeat: int) -> None:
    last = Training(tree, repeat, pruning=pruning)
    found = all_rounds(last)
    assert len(set(found)) == len(found)
    assert found[-1] == last
    for place, one in enumerate(found):
        assert set(earlier_rounds(one)) <= set(found[:place])
        assert (one.repeat, one.epochs) == (repeat, None)
        assert one in (last, *(each for other in found for each in earlier_rounds(other))), "nothing is needless"
