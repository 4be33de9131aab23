"""Which tasks disturb each other: a Gaussian belief, learnt from what every task lost in the trees so far.

What a task loses beside others is taken to be a sum of what each of them does to it, which grows with the blocks that
they share in independent steps (a random walk over the tried depths), plus noise. So one training says something about
all pairs at once, and a pair that explains a loss takes the blame from others. Equations: docs/tree_search.md. It is
only a belief: it chooses what to try next and answers nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

NOISE = 0.0128
"""Standard deviation of what a task measures beside the sum: seeds, clips, and effects of the group as a whole."""
PRIOR = 0.016
"""Standard deviation of what one task does to another one where they share the deepest depth."""
TILT = 1.2
"""By how much affinities change the prior variance: e^TILT times as large for the pair that agrees least."""


def prior_variances(tasks: int, affinities: Mapping[tuple[int, int], float]) -> Floats:
    """Return [n, n] how much each task (column) may disturb each other one (row), before anything was trained.

    ``affinities`` are of pairs of tasks, each in one of its two orders; only their ranks count.
    """
    variances = np.full((tasks, tasks), PRIOR**2)
    ranked = sorted(affinities, key=affinities.__getitem__)
    for rank, (first, second) in enumerate(ranked):
        tilt = math.exp(TILT * (1 - 2 * rank / max(1, len(ranked) - 1)))
        variances[first, second] *= tilt
        variances[second, first] *= tilt
    np.fill_diagonal(variances, 0)
    return variances


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A tree that was trained: ``shared`` [n, n] in shares of the tried depths, and what each of ``tasks`` lost."""

    shared: Floats
    tasks: Sequence[int]
    lost: Sequence[float]


class Disturbance:
    """The belief after what was ``seen``; ``variances`` [n, n] are those of the prior."""

    def __init__(self, variances: Floats, seen: Sequence[Seen], threshold: float) -> None:
        self._threshold = threshold
        self._tasks = [_OfTask.after(task, variances[task], seen) for task in range(len(variances))]

    def keeps(self, shared: Floats) -> Floats:
        """Return [m] how likely no task loses more than the threshold in each of the trees ``shared`` [m, n, n]."""
        chances = np.ones(len(shared))
        for task, belief in enumerate(self._tasks):
            beside = shared[:, task].any(axis=1)
            if beside.any():
                mean, variance = belief.expect(shared[beside, task])
                chances[beside] *= ndtr((self._threshold - mean) / np.sqrt(variance + NOISE**2))
        return chances

    def harmless(self, shares: Sequence[float]) -> Floats:
        """Return [n, n, d] how likely neither of two tasks hurts the other one by itself, where they share so much."""
        alone = np.stack([belief.expect_pairs(shares) for belief in self._tasks])
        mean, variance = alone[:, 0], alone[:, 1]
        chances: Floats = ndtr((self._threshold - mean) / np.sqrt(variance + NOISE**2 / 4))
        return chances * chances.transpose(1, 0, 2)


@dataclass(frozen=True, eq=False)
class _OfTask:
    """What is believed of one task: a Gaussian process whose covariance is the blocks that two trees both share."""

    variances: Floats
    inputs: Floats
    lost: Floats

    @classmethod
    def after(cls, task: int, variances: Floats, seen: Sequence[Seen]) -> "_OfTask":
        """Return the belief about a task, given all trees that hold it."""
        told = [(tree.shared[task], tree.lost[tree.tasks.index(task)]) for tree in seen if task in tree.tasks]
        inputs = np.array([shared for shared, _ in told], float).reshape(len(told), len(variances))
        return cls(variances, inputs, np.array([lost for _, lost in told]))

    def _covariance(self, shared: Floats) -> Floats:
        """Return [m, k] the covariances between m trees and those that were seen."""
        both = np.minimum(shared[:, None, :], self.inputs[None, :, :])
        covariance: Floats = both @ self.variances
        return covariance

    @cached_property
    def _inverse(self) -> Floats:
        noise: Floats = NOISE**2 * np.eye(len(self.lost))
        inverse: Floats = np.asarray(np.linalg.inv(self._covariance(self.inputs) + noise), np.float64)
        return inverse

    def _posterior(self, covariance: Floats, prior: Floats) -> tuple[Floats, Floats]:
        if not len(self.lost):
            return np.zeros_like(prior), prior
        weights: Floats = covariance @ self._inverse
        mean: Floats = weights @ self.lost
        variance: Floats = np.maximum(prior - (weights * covariance).sum(axis=-1), 1e-12)
        return mean, variance

    def expect(self, shared: Floats) -> tuple[Floats, Floats]:
        """Return mean [m] and variance [m] of what the task loses in trees in which it shares so much [m, n]."""
        return self._posterior(self._covariance(shared), shared @ self.variances)

    def expect_pairs(self, shares: Sequence[float]) -> Floats:
        """Return [2, n, d] mean and variance of what every other task does to this one, by how much they share."""
        share = np.array(shares)
        both = np.minimum(share[None, :, None], self.inputs.T[:, None, :])  # n, d, k
        covariance = both * self.variances[:, None, None]
        return np.stack(self._posterior(covariance, self.variances[:, None] * share[None, :]))
