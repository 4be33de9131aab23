"""Metrics of one task, accuracy reductions between models, and how sure they are. Plain numpy.

A family of metrics is a file here; a metric is a line in `registry`.
"""

from taskgraft.evaluators.metrics.interval import CONFIDENCE, RESAMPLES, TaskComparison, reduction_interval
from taskgraft.evaluators.metrics.measuring import chance, measure, measure_all
from taskgraft.evaluators.metrics.metric import Metric
from taskgraft.evaluators.metrics.ranking import score_bins
from taskgraft.evaluators.metrics.reductions import accuracy_reduction, lower_is_better, reductions, worst_reduction
from taskgraft.evaluators.metrics.registry import METRICS, check_metric, metrics_of

__all__ = [
    "CONFIDENCE",
    "METRICS",
    "RESAMPLES",
    "Metric",
    "TaskComparison",
    "accuracy_reduction",
    "chance",
    "check_metric",
    "lower_is_better",
    "measure",
    "measure_all",
    "metrics_of",
    "reduction_interval",
    "reductions",
    "score_bins",
    "worst_reduction",
]
