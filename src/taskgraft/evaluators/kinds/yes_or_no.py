"""Several questions that are answered by yes or no: their loss and their probabilities.

Notation: ``k`` questions.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.targets import MISSING

if TYPE_CHECKING:
    from torch import Tensor

_TINY = 1e-7
"""Keeps the logarithm of a probability that was rounded to 0 or 1 finite."""


def mean_cross_entropy(scores: "Tensor", targets: "Tensor", weights: NDArray[np.float32]) -> "Tensor":
    """Return the weighted mean of the binary cross-entropy over what has a label; 0 if nothing has.

    ``scores`` are logits [..., k], ``targets`` 1, 0 or `MISSING` [..., k], ``weights`` [k, 2] those of no and yes.
    """
    import torch  # noqa: PLC0415  # whoever checks a study or runs a bundle does without it

    weight = _weights(targets, weights, scores)
    truth = targets.clamp_min(0).float()
    losses = torch.nn.functional.binary_cross_entropy_with_logits(scores, truth, weight, reduction="sum")
    return losses / weight.sum().clamp_min(_TINY)


def mean_cross_entropy_of(probabilities: "Tensor", targets: "Tensor", weights: NDArray[np.float32]) -> "Tensor":
    """Return the same for ``probabilities`` [..., k] instead of scores."""
    import torch  # noqa: PLC0415

    weight = _weights(targets, weights, probabilities)
    truth, bounded = targets.clamp_min(0).float(), probabilities.clamp(_TINY, 1 - _TINY)
    losses = torch.nn.functional.binary_cross_entropy(bounded, truth, weight, reduction="sum")
    return losses / weight.sum().clamp_min(_TINY)


def mean_divergence(
    scores: "Tensor", taught: "Tensor", temperature: float, counted: "Tensor | None" = None
) -> "Tensor":
    """Return the mean Kullback-Leibler divergence of a teacher's probabilities from a model's, softened alike.

    ``scores`` and ``taught`` are logits [..., k]. The mean is over those places [...] that are ``counted``, by default
    all; 0 if none is. It is multiplied by the square of the ``temperature``.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy  # noqa: PLC0415

    mine, theirs = scores / temperature, taught / temperature
    wanted = theirs.sigmoid()
    found = cross_entropy(mine, wanted, reduction="none") - cross_entropy(theirs, wanted, reduction="none")
    if counted is None:
        return temperature**2 * found.mean()
    weight = counted.unsqueeze(-1).to(found.dtype).expand(found.shape)
    return temperature**2 * (found * weight).sum() / weight.sum().clamp_min(1)


def _weights(targets: "Tensor", weights: NDArray[np.float32], like: "Tensor") -> "Tensor":
    """Return the weight of every answer; 0 if it has no label."""
    no, yes = like.new_tensor(weights.T)
    chosen: Tensor = yes.where(targets == 1, no).expand(targets.shape)
    return chosen.where(targets != MISSING, like.new_zeros(()))


def log_odds(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logarithm of the odds of probabilities."""
    bounded = np.clip(probabilities.astype(np.float64), _TINY, 1 - _TINY)
    odds: NDArray[np.float64] = np.log(bounded / (1 - bounded))
    return odds


def probabilities_of(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of logarithms of odds."""
    return 1 / (1 + np.exp(-odds))
