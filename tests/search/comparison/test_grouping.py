"""The best groups: hand tables, and every set of networks tried one by one."""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.search.comparison.grouping import MAX_GROUPED_TASKS, Group, Worth, best_groups
from taskgraft.search.comparison.systems.hoa import expected
from taskgraft.search.comparison.systems.tag import mean_affinity

HAND = {
    ("a", "b"): {"a": 1.02, "b": 1.00},
    ("a", "c"): {"a": 0.90, "c": 0.97},
    ("b", "c"): {"b": 0.96, "c": 1.01},
}
"""Metrics of pairs as shares of baselines. a does best with b; c does best with b, which b does not like."""


def test_the_prediction_of_a_group_is_the_mean_over_its_pairs() -> None:
    worth = expected(HAND)
    assert worth(("a", "b", "c"), "a") == pytest.approx(0.96)
    assert worth(("a", "b", "c"), "b") == pytest.approx(0.98)
    assert worth(("a", "b", "c"), "c") == pytest.approx(0.99)
    assert worth(("b", "c"), "c") == 1.01
    assert worth(("c",), "c") == 1.0


@pytest.mark.parametrize(
    ("most", "groups"),
    [
        (1, [Group(("a", "b", "c"), ("a", "b", "c"))]),
        # {a,b} keeps 2.02. c does better beside b, in a network that does not answer b, than alone.
        (2, [Group(("a", "b"), ("a", "b")), Group(("b", "c"), ("c",))]),
        (3, [Group(("a", "b"), ("a", "b")), Group(("b", "c"), ("c",))]),
    ],
)
def test_a_table_by_hand_gives_these_groups(most: int, groups: list[Group]) -> None:
    assert list(best_groups("abc", most, expected(HAND))) == groups


def test_affinities_by_hand_group_those_that_help_each_other() -> None:
    affinities = {
        ("a", "b"): 0.2, ("b", "a"): 0.1, ("a", "c"): -0.3, ("c", "a"): -0.1, ("b", "c"): -0.2, ("c", "b"): 0.05
    }  # fmt: skip
    worth = mean_affinity(affinities)
    assert worth(("a", "b", "c"), "b") == pytest.approx(0.125)
    assert worth(("a", "b"), "b") == 0.2  # what a step for a does to b, not the other way round
    assert worth(("c",), "c") == 0.0
    assert best_groups("abc", 2, worth) == (Group(("a", "b"), ("a", "b")), Group(("c",), ("c",)))
    assert best_groups("abc", 1, worth) == (Group(("a", "b", "c"), ("a", "b", "c")),)


def partitions(tasks: Sequence[str]) -> Iterator[list[tuple[str, ...]]]:
    if not tasks:
        yield []
        return
    first, rest = tasks[0], tasks[1:]
    for size in range(len(rest) + 1):
        for chosen in combinations(rest, size):
            left = [task for task in rest if task not in chosen]
            yield from ([(first, *chosen), *others] for others in partitions(left))


def every_set(tasks: Sequence[str], most: int) -> Iterator[list[Group]]:
    """Every way to answer all tasks with at most so many networks, each trained on what it answers or more."""
    for parts in partitions(tasks):
        if len(parts) > most:
            continue
        choices = []
        for part in parts:
            others = [task for task in tasks if task not in part]
            helpers = (chosen for size in range(len(others) + 1) for chosen in combinations(others, size))
            choices.append([Group(tuple(t for t in tasks if t in (*part, *more)), part) for more in helpers])
        yield from (list(groups) for groups in product(*choices))


def total(groups: Sequence[Group], worth: Worth) -> float:
    return sum(worth(group.trained, task) for group in groups for task in group.answers)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10_000), st.booleans())
def test_no_other_set_is_better(count: int, most: int, seed: int, coarse: bool) -> None:
    tasks = "abcd"[:count]

    def worth(group: tuple[str, ...], task: str) -> float:
        drawn = random.Random(f"{seed} {group} {task}")
        return drawn.choice([-1.0, 0.0, 1.0]) if coarse else drawn.uniform(-1, 1)

    found = best_groups(tasks, most, worth)
    assert sorted(task for group in found for task in group.answers) == sorted(tasks)
    assert len(found) <= most
    best = max(total(groups, worth) for groups in every_set(tasks, most))
    assert total(found, worth) == pytest.approx(best)
    fewest = min(len(groups) for groups in every_set(tasks, most) if total(groups, worth) > best - 1e-9)
    assert len(found) == fewest
    assert best_groups(tasks, most, worth) == found


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 4), st.integers(1, 4), st.integers(0, 10_000))
def test_groups_by_pairs_and_by_affinity_are_the_best_ones(count: int, most: int, seed: int) -> None:
    tasks, drawn = "abcd"[:count], random.Random(seed)
    pairs = {pair: {task: drawn.uniform(0.8, 1.1) for task in pair} for pair in combinations(tasks, 2)}
    affinities = {(a, b): drawn.uniform(-0.2, 0.2) for a in tasks for b in tasks if a != b}
    for worth in (expected(pairs), mean_affinity(affinities)):
        best = max(total(groups, worth) for groups in every_set(tasks, most))
        assert total(best_groups(tasks, most, worth), worth) == pytest.approx(best)


@pytest.mark.parametrize(("tasks", "most"), [("", 1), ("abcdefghi", 2), ("ab", 0)])
def test_what_cannot_be_grouped_is_refused(tasks: str, most: int) -> None:
    with pytest.raises(ValueError, match=f"1 to {MAX_GROUPED_TASKS} tasks"):
        best_groups(tasks, most, lambda group, task: 0.0)


def test_eight_tasks_are_grouped_exactly() -> None:
    # Two families whose tasks help each other, and harm those of the other one.
    def worth(group: tuple[str, ...], task: str) -> float:
        return sum(1.0 if (other in "abcd") == (task in "abcd") else -1.0 for other in group if other != task)

    assert [group.answers for group in best_groups("abcdefgh", 3, worth)] == [tuple("abcd"), tuple("efgh")]
