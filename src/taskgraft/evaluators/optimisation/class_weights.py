"""How much each class counts in the loss of a task. Plain numpy.

Notation: ``k`` classes.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.metrics.registry import METRICS

_MAX_CLASS_WEIGHT = 10.0


class ClassWeights(StrEnum):
    """Whether rare classes count more in the loss."""

    AUTO = "auto"
    """They do if the task's metric is a mean over classes, so that the loss asks for what is measured."""
    NONE = "none"
    """Every label counts the same."""
    BALANCED = "balanced"
    """Every class counts the same, up to a factor of 10."""

    def balance(self, metric: str) -> bool:
        """Return whether classes of a task with that metric count the same."""
        return averages_over_classes(metric) if self is ClassWeights.AUTO else self is ClassWeights.BALANCED


def averages_over_classes(metric: str) -> bool:
    """Return whether a metric, by its name, is a mean over classes, each of which counts the same."""
    return METRICS[metric].over_classes


def weigh_classes(rule: ClassWeights, metric: str, labels: NDArray[np.integer], classes: int) -> NDArray[np.float32]:
    """Return the weight of each class [k] by the rule, for training ``labels`` of a task with that metric."""
    return balanced_weights(labels, classes) if rule.balance(metric) else np.ones(classes, np.float32)


def balanced_weights(labels: NDArray[np.integer], classes: int) -> NDArray[np.float32]:
    """Return the weight of each class [k], inverse to how often ``labels`` names it.

    Their mean over the labels is 1, and none is above 10.
    """
    frequencies = np.bincount(labels[labels != MISSING], minlength=classes).astype(np.float64)
    weights = frequencies.sum() / (classes * np.maximum(frequencies, 1))
    bounded: NDArray[np.float32] = np.minimum(weights, _MAX_CLASS_WEIGHT).astype(np.float32)
    return bounded
