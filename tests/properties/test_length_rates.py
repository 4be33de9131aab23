"""How often a length is taken to be too short, on simulated baselines whose truth is known. Seeds are fixed."""

import pytest
from benchmarks.simulated_lengths import Baselines, Cause, causes

WORTH = 0.01
STUDIES = 200


def share(truth: Baselines, *wanted: Cause) -> float:
    found = causes(truth, WORTH, STUDIES, seed=1)
    return sum(found[cause] for cause in wanted) / STUDIES


@pytest.mark.parametrize("truth", [Baselines(60, 6), Baselines(150, 1), Baselines(400, 6), Baselines(1500, 3)])
def test_noise_alone_rarely_asks_for_longer_trainings(truth: Baselines) -> None:
    """One standard error of each of the two questions: 16 %."""
    limit = 2 * (0.16 * 0.84 / STUDIES) ** 0.5
    assert share(truth, Cause.GAIN) <= 0.16 + limit
    assert share(truth, Cause.GAIN, Cause.SEEDS) <= 2 * 0.16 + limit


def test_trainings_that_are_much_too_short_are_found_out() -> None:
    assert share(Baselines(400, 4, gain=4 * WORTH), Cause.GAIN) > 0.9
    assert share(Baselines(1500, 4, gain=2 * WORTH), Cause.GAIN) > 0.9
    assert share(Baselines(400, 4, excess=4 * WORTH), Cause.GAIN, Cause.SEEDS) > 0.9


def test_more_clips_find_out_more() -> None:
    found = [share(Baselines(clips, 4, gain=2 * WORTH), Cause.GAIN) for clips in (100, 400, 1500)]
    assert found == sorted(found)
