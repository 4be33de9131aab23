"""The metrics by name."""

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.metrics.class_counts import ACCURACY, BALANCED_ACCURACY, MACRO_F1, MACRO_PRECISION
from taskgraft.evaluators.metrics.detection import EVENT_F1, SEGMENT_F1
from taskgraft.evaluators.metrics.metric import Metric
from taskgraft.evaluators.metrics.ranking import ROC_AUC
from taskgraft.evaluators.metrics.values import CONCORDANCE, MEAN_ABSOLUTE_ERROR

_ALL: tuple[Metric, ...] = (
    ACCURACY,
    BALANCED_ACCURACY,
    MACRO_PRECISION,
    MACRO_F1,
    ROC_AUC,
    EVENT_F1,
    SEGMENT_F1,
    CONCORDANCE,
    MEAN_ABSOLUTE_ERROR,
)

METRICS = {metric.name: metric for metric in _ALL}


def metrics_of(kind: str) -> tuple[str, ...]:
    """Return the names of the metrics that fit a kind of task."""
    return tuple(name for name, metric in METRICS.items() if kind in metric.kinds)


def check_metric(name: str, kind: str) -> None:
    """Accept a metric that fits a kind of task.

    Raises:
        InvalidInput: it does not fit, or there is none of this name.
    """
    fitting = metrics_of(kind)
    if name not in fitting:
        what = "does not fit" if name in METRICS else "is no metric"
        raise InvalidInput.at("metric", f"{name} {what}; {kind} tasks are judged by {', '.join(fitting)}")
