"""Metrics of one set of outcomes."""

import numpy as np

from taskgraft.evaluators.metrics.metric import Metric
from taskgraft.evaluators.metrics.registry import METRICS
from taskgraft.evaluators.outcomes import Outcomes


def measure(outcomes: Outcomes, metric: str = "accuracy") -> float:
    """Return one metric of one set of outcomes."""
    return _value(METRICS[metric], outcomes)


def measure_all(outcomes: Outcomes) -> dict[str, float]:
    """Return every metric that the tables of one set of outcomes tell."""
    return {name: _value(metric, outcomes) for name, metric in METRICS.items() if metric.is_in(outcomes)}


def chance(outcomes: Outcomes, metric: str) -> float:
    """Return what the best constant answer to the same questions comes to."""
    return METRICS[metric].chance(outcomes)


def _value(metric: Metric, outcomes: Outcomes) -> float:
    table = metric.table(outcomes)
    everything = np.zeros(len(table.clips), np.intp)
    return float(metric.value(metric.statistics(table, everything, 1, metric.size(table)))[0])
