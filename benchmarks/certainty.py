"""How often `taskgraft.search.certainty` is right, in simulated studies whose truth is known: `python -m benchmarks.certainty`.

A made-up answer is right where a latent normal variable stays below a limit. The variable is the sum of how hard the
clip is (shared by all models of a task), of what the seed does to the clip, and of what it does to the time step; the
seed also moves the limit. So the expected accuracy is known in closed form, clips are paired, and trainings differ.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.certainty import Estimate, TaskSample, Verdict, estimate, interval, may_settle, verdict
from taskgraft.search.repeats import Repeats
from taskgraft.search.seed_noise import SeedNoise

THRESHOLD = 0.02
TASKS = 4


@dataclass(frozen=True, slots=True)
class Regime:
    """The truth of a simulated study: four tasks, one cell for each of the six pairs."""

    accuracy: float = 0.9
    """Of every baseline."""
    clips: int = 500
    seed_sd: float = 0.01
    """Standard deviation between seeds on infinitely many clips, of a model that is right half of the time; others
    have sqrt(4 p (1 - p)) of it."""
    steps: int = 1
    """Time steps a clip: 1 for clip tasks."""
    ar: float = 0.02
    """Of every cell."""
    other: float | None = None
    """Reduction of the better task of a cell; drawn from [-AR, AR] where None."""
    pairs_noisier: float = 1.0
    """How many times as much seeds move pairs as baselines."""
    hardness: float = 0.5
    """Part of the latent variance that belongs to the clip."""


class Study:
    """One simulated study: draws trainings when asked for them."""

    def __init__(self, regime: Regime, random: np.random.Generator) -> None:
        self.regime = regime
        self._random = random
        self._hard = random.standard_normal((TASKS, regime.clips))
        self._reductions = {
            pair: random.permutation([regime.ar, random.uniform(-1, 1) * regime.ar if regime.other is None else regime.other])
            for pair in combinations(range(TASKS), 2)
        }
        self.baselines: dict[int, list[Outcomes]] = {task: [] for task in range(TASKS)}
        self.models: dict[tuple[int, int], tuple[list[Outcomes], list[Outcomes]]] = {
            pair: ([], []) for pair in self._reductions
        }
        self._summaries: dict[tuple[tuple[int, ...], int], Repeats] = {}

    def train(self, pair: tuple[int, int], repeats: int) -> None:
        """See to it that a pair has so many repeats."""
        for task, lost, outcomes in zip(pair, self._reductions[pair], self.models[pair], strict=True):
            accuracy = min(self.regime.accuracy * (1 - lost), 0.999)
            while len(outcomes) < repeats:
                outcomes.append(self._training(task, accuracy, self.regime.pairs_noisier))

    def train_baseline(self, task: int, repeats: int) -> None:
        """See to it that a baseline has so many repeats."""
        while len(self.baselines[task]) < repeats:
            self.baselines[task].append(self._training(task, self.regime.accuracy, 1.0))

    def _training(self, task: int, accuracy: float, noisier: float) -> Outcomes:
        regime = self.regime
        limit = ndtri(accuracy)
        slope = np.exp(-(limit**2) / 2) / np.sqrt(2 * np.pi)
        moved = noisier * regime.seed_sd * np.sqrt(4 * accuracy * (1 - accuracy)) / slope
        seen = limit * np.sqrt(1 + moved**2) + moved * self._random.standard_normal()
        own = (1 - regime.hardness) * (1.0 if regime.steps == 1 else 0.3)
        left = 1 - regime.hardness - own
        fixed = np.sqrt(regime.hardness) * self._hard[task]
        by_clip = seen - fixed - np.sqrt(own) * self._random.standard_normal(regime.clips)
        if regime.steps == 1:
            right = (by_clip > 0).astype(np.int32)
        else:
            right = self._random.binomial(regime.steps, ndtr(by_clip / np.sqrt(left))).astype(np.int32)
        clips = np.arange(regime.clips, dtype=np.int32)
        wrong = np.zeros_like(clips)
        return Outcomes(
            np.concatenate([clips, clips]),
            np.concatenate([wrong, wrong]),
            np.concatenate([wrong, wrong + 1]),
            np.concatenate([right, regime.steps - right]),
        )

    def _summary(self, key: tuple[int, ...], outcomes: Sequence[Outcomes]) -> Repeats:
        place = (key, len(outcomes))
        if place not in self._summaries:
            self._summaries[place] = Repeats.of("accuracy", outcomes)
        return self._summaries[place]

    def _groups(self) -> Iterator[Repeats]:
        for task, outcomes in self.baselines.items():
            yield self._summary((task,), outcomes)
        for pair, both in self.models.items():
            yield from (self._summary((*pair, side), one) for side, one in enumerate(both) if one)

    def noise(self) -> SeedNoise:
        """Noise as the study itself shows it."""
        return SeedNoise.pool(self._groups())

    def cell(self, pair: tuple[int, int], noise: SeedNoise) -> list[Estimate]:
        """What is known of both tasks of a pair."""
        return [
            estimate(
                TaskSample(
                    self._summary((task,), self.baselines[task]),
                    self._summary((*pair, side), self.models[pair][side]),
                ),
                noise,
            )
            for side, task in enumerate(pair)
        ]


def coverage(regime: Regime, repeats: int, studies: int, seed: int = 0) -> tuple[float, float, float]:
    """Shares of intervals that lie below the true AR, that hold it, and that lie above it."""
    below = above = cells = 0
    random = np.random.default_rng(seed)
    for _ in range(studies):
        study = Study(regime, random)
        for task in range(TASKS):
            study.train_baseline(task, max(repeats, 2))
        for pair in study.models:
            study.train(pair, repeats)
        noise = study.noise()
        for pair in study.models:
            low, high = interval(study.cell(pair, noise))
            below, above, cells = below + (high < regime.ar), above + (low > regime.ar), cells + 1
    return below / cells, 1 - (below + above) / cells, above / cells


@dataclass(frozen=True, slots=True)
class Decisions:
    """What became of the cells of simulated studies."""

    verdicts: Counter[Verdict]
    repeats: float
    """Trainings of a pair, mean over cells."""

    def share(self, told: Verdict) -> float:
        """Share of the cells that were told so."""
        return self.verdicts[told] / self.verdicts.total()


def decisions(regime: Regime, looks: int, studies: int, seed: int = 0, baselines: int = 3, pilots=0, curtail=True) -> Decisions:
    """Decide every cell of simulated studies one repeat at a time; baselines keep up with the pairs."""
    random = np.random.default_rng(seed)
    verdicts: Counter[Verdict] = Counter()
    spent = 0
    for _ in range(studies):
        study = Study(regime, random)
        told = dict.fromkeys(study.models, Verdict.OPEN)
        for pair in list(study.models)[:pilots]:
            study.train(pair, 2)
        hopeless = set()
        for look in range(1, looks + 1):
            pending = [pair for pair, so_far in told.items() if so_far is Verdict.OPEN and pair not in hopeless]
            for pair in pending:
                study.train(pair, look)
                for task in pair:
                    study.train_baseline(task, max(look, baselines))
            noise = study.noise()
            told |= {pair: verdict(study.cell(pair, noise), THRESHOLD, looks) for pair in pending}
            if curtail:
                hopeless |= {pair for pair in pending if not may_settle(study.cell(pair, noise), THRESHOLD, looks)}
        spent += sum(len(one) for one, _ in study.models.values())
        verdicts.update(told.values())
    return Decisions(verdicts, spent / verdicts.total())
