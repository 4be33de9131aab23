"""How often bounds of other metrics hold, on simulated test splits whose true reduction is known. Seeds are fixed."""

import pytest
from benchmarks.simulated_metrics import coverage

SPLITS = {"roc_auc": 15, "event_f1": 150, "concordance": 150, "mean_absolute_error": 150}


@pytest.mark.parametrize("metric", SPLITS)
def test_bounds_hold_as_often_as_they_say(metric: str) -> None:
    splits = SPLITS[metric]
    found = coverage(metric, clips=80, splits=splits, resamples=300, seed=1)
    error = 2 * (0.05 * 0.95 / splits) ** 0.5
    assert min(found.upper, found.lower, found.both) >= 0.95 - error
