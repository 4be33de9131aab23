"""Class weights of questions that are answered by yes or no. Plain numpy."""

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.optimisation.class_weights import balanced_weights


def presence_weights(answers: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the weights of no and of yes for each question [k, 2] by ``answers`` [..., k] of 1, 0 or `MISSING`."""
    columns = answers.reshape(-1, answers.shape[-1]).T
    return np.stack([balanced_weights(column, 2) for column in columns])
