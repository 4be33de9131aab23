import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.windows import Windows, cut_windows

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=6)


def cut(lengths: list[int], crop: int, stride: int) -> Windows:
    return cut_windows(np.array(lengths, np.int32), crop, stride)


@given(LENGTHS, st.integers(1, 12), st.integers(1, 5))
def test_fresh_steps_follow_each_other_from_the_clips_start_to_its_end(
    lengths: list[int], steps: int, stride: int
) -> None:
    windows = cut(lengths, steps * stride, stride)
    for place, length in enumerate(lengths):
        mine = np.flatnonzero(windows.places == place)
        fresh = [
            int(windows.starts[one]) + step * stride
            for one in mine
            for step in range(steps)
            if step * stride >= windows.stale[one]
        ]
        assert fresh == list(range(0, fresh[-1] + 1, stride))
        assert fresh[-1] + stride >= length


@given(LENGTHS, st.integers(1, 12), st.integers(1, 5))
def test_windows_are_as_few_as_can_be_and_hardly_reach_beyond_the_clip(
    lengths: list[int], steps: int, stride: int
) -> None:
    crop = steps * stride
    windows = cut(lengths, crop, stride)
    for place, length in enumerate(lengths):
        ends = windows.starts[windows.places == place] + crop
        assert len(ends) == max(1, -(-length // crop))
        assert ends[-1] < max(length, crop - stride + 1) + stride


def test_last_window_overlaps_the_one_before_it() -> None:
    windows = cut([10, 25], 10, 1)
    assert windows.places.tolist() == [0, 1, 1, 1]
    assert windows.starts.tolist() == [0, 0, 10, 15]
    assert windows.stale.tolist() == [0, 0, 0, 5]
