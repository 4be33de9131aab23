"""What all trainings cost, from a sample of them."""

import numpy as np
import pytest
from benchmarks.estimate import Estimate


def test_what_is_known_exactly_has_no_width() -> None:
    exact = Estimate.of_sample(10.0, {"alone": ([1.0, 3.0], 2), "pairs": ([5.0], 1)})
    assert exact == Estimate(19.0)
    assert exact.interval == (19.0, 19.0)


def test_a_sample_stands_for_its_stratum() -> None:
    found = Estimate.of_sample(10.0, {"alone": ([1.0, 3.0], 5), "pairs": ([4.0, 4.0, 4.0], 50)})
    assert found.value == 10 + 5 * 2 + 50 * 4
    variance = 25 * (1 - 2 / 5) * 2 / 2
    low, high = found.interval
    assert (high - low) / 2 == pytest.approx(12.7062 * variance**0.5, rel=1e-4)  # Student's t, one degree of freedom


def test_sums_add_values_and_variances() -> None:
    one, two = Estimate(1.0, ((4.0, 10),)), Estimate(2.0, ((9.0, 10),))
    low, high = (one + two).interval
    assert (low + high) / 2 == pytest.approx(3.0)
    assert high - low < (one.interval[1] - one.interval[0]) + (two.interval[1] - two.interval[0])


def test_intervals_hold_the_whole_in_19_of_20_cases() -> None:
    random = np.random.default_rng(0)
    alone, pairs = random.normal(60, 6, 5), random.normal(75, 10, 50)
    held = 0
    for _ in range(2000):
        strata = {
            "alone": (random.choice(alone, 2, False).tolist(), 5),
            "pairs": (random.choice(pairs, 6, False).tolist(), 50),
        }
        low, high = Estimate.of_sample(0.0, strata).interval
        held += low <= alone.sum() + pairs.sum() <= high
    assert 0.93 < held / 2000 < 0.98
