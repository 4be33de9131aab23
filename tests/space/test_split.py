"""Parts of the split, each against its textbook definition."""

from functools import cache
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.space.split import IntArray, Weights, flips, members


@st.composite
def symmetric(draw: st.DrawFn, largest: int = 8) -> IntArray:
    size = draw(st.integers(2, largest))
    weights = np.zeros((size, size), dtype=np.int64)
    for row, column in combinations(range(size), 2):
        weights[row, column] = weights[column, row] = draw(st.sampled_from([0, 4, 6, 8]))
    return weights


@given(st.sets(st.integers(0, 300)))
def test_members_of_a_mask(tasks: set[int]) -> None:
    assert members(sum(1 << task for task in tasks)) == sorted(tasks)


@given(symmetric(), st.data())
def test_smallest_weight_inside(weights: IntArray, data: st.DataObject) -> None:
    tasks = data.draw(st.sets(st.integers(0, len(weights) - 1), min_size=2))
    expected = min(weights[pair] for pair in combinations(sorted(tasks), 2))
    assert Weights(weights).smallest(sum(1 << task for task in tasks)) == expected


def best_reachable(weights: IntArray, floor: int) -> int | None:
    """The largest t above ``floor`` whose conflict graph networkx calls bipartite."""
    for t in (8, 6, 4):
        pairs = [pair for pair in combinations(range(len(weights)), 2) if weights[pair] < t]
        if t > floor and nx.is_bipartite(nx.Graph(pairs)):
            return t
    return None


@given(symmetric())
def test_the_best_threshold_is_the_largest_with_a_bipartite_conflict_graph(weights: IntArray) -> None:
    everything = (1 << len(weights)) - 1
    floor = Weights(weights).smallest(everything)
    components = Weights(weights).best_sides(everything, floor)
    best = best_reachable(weights, floor) if (weights[np.triu_indices(len(weights), 1)] > floor).any() else None
    assert (components is None) == (best is None)
    for left, right in flips(components) if components else ():
        assert 0 not in (left, right)
        assert left | right == everything
        assert not left & right
        assert best is not None
        assert all(weights[pair] >= best for part in (left, right) for pair in combinations(members(part), 2))


def test_every_component_is_turned_over_once() -> None:
    components = [(0b0001, 0b0010), (0b0100, 0), (0b1000, 0)]
    splits = list(flips(components))
    assert splits == [(0b1101, 0b0010), (0b0101, 0b1010), (0b1001, 0b0110), (0b0001, 0b1110)]


def from_pairs(size: int, pairs: dict[tuple[int, int], int], other: int = 0) -> Weights:
    weights = np.full((size, size), other, dtype=np.int64)
    for (row, column), weight in pairs.items():
        weights[row, column] = weights[column, row] = weight
    return Weights(weights)


def test_placing_keeps_tasks_where_they_fit_deepest() -> None:
    # 0 and 1 are in conflict; 2 goes deeper with 1, 3 with 0, then 4 with 2 and 1
    weights = from_pairs(5, {(0, 1): 2, (1, 2): 8, (0, 3): 8, (1, 4): 7, (2, 4): 8}, other=6)
    assert weights.place([(0b1, 0b10), (0b100, 0), (0b1000, 0), (0b10000, 0)]) == (0b01001, 0b10110)


def test_placing_what_fits_alike_keeps_the_parts_even() -> None:
    left, right = from_pairs(8, {(0, 1): 2}, other=8).place([(1, 2), *((1 << task, 0) for task in range(2, 8))])
    assert {left.bit_count(), right.bit_count()} == {4}


def test_groups_join_the_closest_first_and_stop_at_the_floor() -> None:
    weights = from_pairs(5, {(0, 1): 8, (0, 2): 6, (1, 2): 5, (3, 4): 6, (2, 3): 5}, other=0)
    assert weights.groups(0b11111, 0) == [0b00111, 0b11000]
    assert weights.groups(0b11111, 5) == [0b00011, 0b00100, 0b11000]
    assert weights.groups(0b11111, 8) == [1, 2, 4, 8, 16]


def test_a_chance_pair_does_not_break_a_group_up() -> None:
    # 0 fits 1 by chance; 0, 2, 3 belong together, so do 1, 4, 5
    group = {pair: 8 for tasks in ((0, 2, 3), (1, 4, 5)) for pair in combinations(tasks, 2)}
    assert from_pairs(6, group | {(0, 1): 8}).groups(0b111111, 0) == [0b001101, 0b110010]


@pytest.mark.parametrize("floor", [0, 4])
@given(weights=symmetric(largest=12))
def test_groups_fit_inside_and_no_two_of_them_fit_together(floor: int, weights: IntArray) -> None:
    groups = [members(group) for group in Weights(weights).groups((1 << len(weights)) - 1, floor)]
    assert sorted(task for group in groups for task in group) == list(range(len(weights)))
    assert groups == sorted(groups)
    assert all(weights[pair] > floor for group in groups for pair in combinations(group, 2))
    for first, second in combinations(groups, 2):
        assert weights[np.ix_(first, second)].min() <= floor


def joined_by_definition(weights: IntArray, floor: int) -> list[int]:
    """Complete linkage as it is told, pair by pair after every join."""
    groups = [1 << task for task in range(len(weights))]

    @cache
    def link(first: int, second: int) -> int:
        smallest = int(weights[np.ix_(members(first), members(second))].min())
        return smallest if smallest > floor else 0

    def merit(pair: tuple[int, int]) -> tuple[int, int]:
        others = (group for group in groups if group not in pair)
        return link(*pair), sum(all(link(group, other) for group in pair) for other in others)

    while pairs := [pair for pair in combinations(groups, 2) if link(*pair)]:
        kept, gone = max(pairs, key=merit)  # the first of those that are equally good
        groups[groups.index(kept)] |= gone
        groups.remove(gone)
    return groups


@pytest.mark.parametrize("floor", [0, 4])
@given(weights=symmetric(largest=14))
def test_groups_are_those_of_complete_linkage_by_its_definition(floor: int, weights: IntArray) -> None:
    assert Weights(weights).groups((1 << len(weights)) - 1, floor) == joined_by_definition(weights, floor)


@pytest.mark.parametrize("tasks", [63, 64, 65])
def test_groups_of_about_as_many_tasks_as_a_word_has_bits(tasks: int) -> None:
    drawn = np.triu(np.random.default_rng(tasks).choice([0, 4, 6, 8], (tasks, tasks), p=[0.7, 0.1, 0.1, 0.1]), 1)
    weights = drawn + drawn.T
    assert Weights(weights).groups((1 << tasks) - 1, 0) == joined_by_definition(weights, 0)
