"""What tensors weigh, stored and packed: by hand, and against what is counted number by number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.sizes import Sizes

KERNEL_NAME = "nodes.0.0.0.weight"
KERNEL = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 3.0], [0.0, 0.0, 0.0]], np.float32)


@pytest.mark.parametrize(
    ("tensors", "is_pruned", "expected"),
    [
        ({}, True, Sizes(0, 0)),
        ({KERNEL_NAME: KERNEL}, True, Sizes(36, 3 * 4 + 2, 6)),  # nine bits of a mask take two bytes
        ({KERNEL_NAME: KERNEL}, False, Sizes(36, 36)),
        ({KERNEL_NAME: np.ones((2, 3), np.float32)}, True, Sizes(24, 24)),
        ({"bias": np.zeros(3, np.float32), "batches": np.array(0, np.int64)}, True, Sizes(20, 20)),
        ({KERNEL_NAME: KERNEL, "bias": np.zeros(3, np.float32)}, True, Sizes(48, 14 + 12, 6)),
        ({KERNEL_NAME: np.zeros((4, 4), np.float32)}, True, Sizes(64, 2, 16)),
    ],
)
def test_sizes_by_hand(tensors: dict[str, np.ndarray], is_pruned: bool, expected: Sizes) -> None:
    assert Sizes.of(tensors, is_pruned=is_pruned) == expected


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, -0.5]), min_size=1, max_size=20), min_size=1, max_size=4))
def test_every_number_is_counted_once(rows: list[list[float]]) -> None:
    tensors = {f"nodes.{place}.0.0.weight": np.array([row], np.float32) for place, row in enumerate(rows)}
    sizes = Sizes.of(tensors, is_pruned=True)
    zeros = sum(row.count(0.0) for row in rows)
    assert sizes.pruned == zeros
    assert sizes.stored_bytes == 4 * sum(map(len, rows))
    masks = sum(-(-len(row) // 8) for row in rows if 0.0 in row)
    assert sizes.packed_bytes == sizes.stored_bytes - 4 * zeros + masks
