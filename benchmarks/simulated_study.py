"""Simulated studies whose truth is known, to count how often `taskgraft.search.statistics.certainty` is right.

A made-up answer is right where a latent normal variable stays below a limit. The variable is the sum of how hard the
clip is (shared by all models of a task), of what the seed does to the clip, and of what it does to the time step; the
seed also moves the limit. So the expected accuracy is known in closed form, clips are paired, and trainings differ.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.statistics.certainty import Estimate, TaskSample, estimate
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise

TASKS = 4

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Regime:
    """The truth of a simulated study: four tasks, one cell for each of the six pairs."""

    accuracy: float = 0.9
    """Of every baseline."""
    clips: int = 500
    seed_sd: float = 0.01
    """Standard deviation between seeds on infinitely many clips, of a model that is right half of the time; that of
    others is sqrt(4 p (1 - p)) times as large."""
    steps: int = 1
    """Time steps a clip: 1 for clip tasks."""
    ar: float = 0.02
    """Of every cell."""
    other: float | None = None
    """Reduction of a cell's better task; drawn from [-AR, AR] where None."""
    pairs_noisier: float = 1.0
    """How many times as much seeds move pairs as baselines."""
    hardness: float = 0.5
    """Part of the latent variance that belongs to the clip."""


class Study:
    """One simulated study: trains what it is asked for, and tells what follows from it."""

    def __init__(self, regime: Regime, random: np.random.Generator) -> None:
        self._regime = regime
        self._random = random
        self._hard = random.standard_normal((TASKS, regime.clips))
        self._reductions = {pair: random.permutation(self._both()) for pair in combinations(range(TASKS), 2)}
        self._said: dict[tuple[int, ...], list[Outcomes]] = {(task,): [] for task in range(TASKS)}
        self._said |= {(*pair, task): [] for pair in self._reductions for task in pair}
        self._summaries: dict[tuple[tuple[int, ...], int], Repeats] = {}

    def _both(self) -> tuple[float, float]:
        worst, better = self._regime.ar, self._regime.other
        return worst, self._random.uniform(-worst, worst) if better is None else better

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Return the cells."""
        return tuple(self._reductions)

    def repeats(self, pair: Pair) -> int:
        """Return how often a pair has been trained."""
        return len(self._said[*pair, pair[0]])

    def train(self, pair: Pair, repeats: int, baselines: int = 2) -> None:
        """See to it that a pair has so many repeats, and its baselines too, but so many at least."""
        regime = self._regime
        for task, lost in zip(pair, self._reductions[pair], strict=True):
            self._repeat((task,), regime.accuracy, regime.seed_sd, max(repeats, baselines))
            lower = min(regime.accuracy * (1 - lost), 0.999)
            self._repeat((*pair, task), lower, regime.seed_sd * regime.pairs_noisier, repeats)

    def _repeat(self, key: tuple[int, ...], accuracy: float, seed_sd: float, repeats: int) -> None:
        while len(self._said[key]) < repeats:
            self._said[key].append(self._outcomes(self._hard[key[-1]], accuracy, seed_sd))

    def _outcomes(self, hard: NDArray[np.float64], accuracy: float, seed_sd: float) -> Outcomes:
        regime = self._regime
        limit = float(ndtri(accuracy))
        slope = math.exp(-(limit**2) / 2) / math.sqrt(2 * math.pi)
        moved = seed_sd * math.sqrt(4 * accuracy * (1 - accuracy)) / slope
        seen = limit * math.sqrt(1 + moved**2) + moved * self._random.standard_normal()
        own = (1 - regime.hardness) * (1.0 if regime.steps == 1 else 0.3)
        by_clip = seen - math.sqrt(regime.hardness) * hard - math.sqrt(own) * self._random.standard_normal(regime.clips)
        clips = np.arange(regime.clips, dtype=np.int32)
        truth = np.zeros_like(clips)
        if regime.steps == 1:
            return Outcomes.of_classes(clips, truth, (by_clip < 0).astype(np.int32), truth + 1)
        chance = ndtr(by_clip / math.sqrt(1 - regime.hardness - own))
        right = self._random.binomial(regime.steps, chance).astype(np.int32)
        both = np.concatenate([truth, truth + 1]), np.concatenate([right, regime.steps - right])
        return Outcomes.of_classes(np.tile(clips, 2), np.tile(truth, 2), *both)

    def _summary(self, key: tuple[int, ...]) -> Repeats:
        said = self._said[key]
        place = (key, len(said))
        if place not in self._summaries:
            self._summaries[place] = Repeats.of("accuracy", said)
        return self._summaries[place]

    def _groups(self) -> Iterator[Repeats]:
        return (self._summary(key) for key, said in self._said.items() if said)

    def noise(self) -> SeedNoise:
        """Return the noise of seeds that the study itself shows."""
        return SeedNoise.pool(self._groups())

    def said(self, pair: Pair, task: int) -> tuple[list[Outcomes], list[Outcomes]]:
        """Return what every repeat of a task's baseline said, and what those of the pair did."""
        return self._said[task,], self._said[*pair, task]

    def cells(self) -> dict[Pair, Sequence[Estimate]]:
        """Return what is known of both tasks of every pair, with the noise that the study itself shows."""
        noise = self.noise()
        return {
            pair: [estimate(TaskSample(self._summary((task,)), self._summary((*pair, task))), noise) for task in pair]
            for pair in self.pairs
        }
