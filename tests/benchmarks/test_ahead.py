"""The bound that simulated studies are held against: how long two workers take at least."""

from itertools import product

from benchmarks.ahead import least_span
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=8))
def test_no_other_division_among_two_workers_is_shorter(thousandths: list[int]) -> None:
    spans = [
        max(
            sum(one for one, is_first in zip(thousandths, sides, strict=True) if is_first is first)
            for first in (True, False)
        )
        for sides in product((True, False), repeat=len(thousandths))
    ]
    assert round(1000 * least_span([one / 1000 for one in thousandths])) == min(spans)
