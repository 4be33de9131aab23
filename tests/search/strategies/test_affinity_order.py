from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from taskgraft.search.strategies.affinity_order import by_affinity

NAMES = "abcdefgh"


@given(st.permutations(NAMES), st.integers(2, 4), st.booleans())
def test_families_stand_side_by_side(tasks: list[str], size: int, turned: bool) -> None:
    home = {task: place // size for place, task in enumerate(NAMES)}
    pairs = [pair[::-1] if turned else pair for pair in combinations(tasks, 2)]
    found = by_affinity(tasks, {(a, b): 0.6 if home[a] == home[b] else 0.1 for a, b in pairs})
    assert sorted(found) == sorted(tasks)
    homes = [home[task] for task in found]
    assert sum(one != other for one, other in pairwise(homes)) == len(set(homes)) - 1


@given(st.permutations(NAMES), st.integers(0, 27))
def test_without_all_affinities_the_order_stays(tasks: list[str], known: int) -> None:
    pairs = list(combinations(tasks, 2))
    assert by_affinity(tasks, dict.fromkeys(pairs[:known], 0.5)) == tuple(tasks)


def test_opposites_are_far_and_two_tasks_have_one_order() -> None:
    assert by_affinity("ab", {("a", "b"): -1.0}) == ("a", "b")
    found = by_affinity("abc", {("a", "b"): -1.0, ("a", "c"): 1.0, ("b", "c"): -1.0})
    assert found.index("b") in (0, 2)
