"""A long training starts before shorter ones that wait if, and only if, every later start ends later."""

from hypothesis import given
from hypothesis import strategies as st

from taskgraft.search.running.longest_first import should_start_now

_UNITS = st.floats(0.1, 4)


def ends(order: list[float], under_way: list[float], workers: int) -> float:
    """The end of the last training, moment by moment: whoever is free first takes the next one."""
    busy_until = [*under_way, *[0.0] * (workers - len(under_way))]
    for units in order:
        first = min(range(workers), key=busy_until.__getitem__)
        busy_until[first] += units
    return max(busy_until)


@given(
    _UNITS,
    st.lists(_UNITS, min_size=1, max_size=5),
    st.lists(_UNITS, max_size=3),
    st.integers(2, 4),
    st.data(),
)
def test_it_starts_now_if_no_later_start_ends_as_early(
    long: float, waiting: list[float], later: list[float], workers: int, data: st.DataObject
) -> None:
    under_way = data.draw(st.lists(_UNITS, max_size=workers - 1))
    orders = [[*waiting[:place], long, *waiting[place:], *later] for place in range(len(waiting) + 1)]
    now, *others = [ends(order, under_way, workers) for order in orders]
    if abs(now - min(others)) > 0.06:
        assert should_start_now(long, waiting, later, under_way, workers) is (now < min(others))
    if now >= min(others):
        assert not should_start_now(long, waiting, later, under_way, workers)


def test_the_longest_does_not_start_last() -> None:
    """Two workers, a model that takes three times as long as a baseline: it starts when only two baselines wait."""
    starts = [should_start_now(3.0, [1.0] * left, [], [1.0], 2) for left in (4, 3, 2, 1)]
    assert starts == [False, False, True, True]


def test_nothing_that_is_as_short_as_the_others_goes_first() -> None:
    assert not should_start_now(1.0, [1.0] * 3, [], [1.0], 2)


def test_where_enough_follows_there_is_no_hurry() -> None:
    assert should_start_now(2.0, [1.0, 1.0], [], [1.0], 2) is False
    assert should_start_now(2.5, [1.0, 1.0], [1.0] * 8, [1.0], 2) is False
