"""Class weights: how much each class counts in the loss. Plain numpy."""

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.targets import MISSING

_MAX_CLASS_WEIGHT = 10.0


def balanced_weights(labels: NDArray[np.integer], classes: int) -> NDArray[np.float32]:
    """Return the weight of each class, inverse to how often ``labels`` names it: mean 1 over the labels, at most 10."""
    frequencies = np.bincount(labels[labels != MISSING], minlength=classes).astype(np.float64)
    weights = frequencies.sum() / (classes * np.maximum(frequencies, 1))
    bounded: NDArray[np.float32] = np.minimum(weights, _MAX_CLASS_WEIGHT).astype(np.float32)
    return bounded


def presence_weights(answers: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the weights of no and of yes for each question [k, 2] by ``answers`` [..., k] of 1, 0 or `MISSING`."""
    columns = answers.reshape(-1, answers.shape[-1]).T
    return np.stack([balanced_weights(column, 2) for column in columns])
