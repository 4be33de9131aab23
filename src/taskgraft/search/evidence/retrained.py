"""What a tree keeps on average when it is trained again: an estimate from `confirm: K` further seeds.

Notation: ``s`` seeds, ``t`` tasks that share blocks, ``b`` resamples. Equations are those of docs/statistics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import METRICS, accuracy_reduction, lower_is_better, measure, reductions
from taskgraft.evaluators.paired import PairedAnswers, PairedBootstrap, expanded
from taskgraft.search.statistics.certainty import CONFIDENCE
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise
from taskgraft.search.study.result import Retrained, RetrainedTask
from taskgraft.search.study.task_spec import TaskSpec

Floats = NDArray[np.float64]

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True, eq=False)
class TaskSeeds:
    """What further seeds of a task's baseline and of the tree say about the test clips, one entry per seed."""

    task: TaskSpec
    baseline: Sequence[Outcomes]
    model: Sequence[Outcomes]
    groups: NDArray[np.int64] | None

    def metrics(self) -> tuple[Floats, Floats]:
        """Return the metric of every seed [s]: of the baseline, and of the tree."""
        baseline, model = (
            np.array([measure(said, self.task.metric) for said in seeds]) for seeds in (self.baseline, self.model)
        )
        return baseline, model

    def means(self) -> tuple[float, float]:
        """Return the mean metric over seeds: of the baseline, and of the tree."""
        baseline, model = self.metrics()
        return float(baseline.mean()), float(model.mean())

    def reductions(self) -> Floats:
        """Return the reduction of every seed [s] against the mean baseline; 0 for a baseline of 0."""
        name, alone, (_, model) = self.task.name, self.means()[0], self.metrics()
        return np.array([reductions({name: alone}, {name: metric}, self._errors).get(name, 0.0) for metric in model])

    @property
    def _errors(self) -> frozenset[str]:
        return lower_is_better({self.task.name: self.task.metric})

    def comparisons(self) -> list[PairedAnswers]:
        """Return the tree of every seed against all baselines."""
        task = self.task
        return [PairedAnswers(task.dataset, task.metric, self.baseline, [said], self.groups) for said in self.model]

    def shifts(self, noise: SeedNoise, generator: np.random.Generator) -> Floats:
        """Draw what the choice of seeds may have done to the mean reduction [b]; NaN if nothing tells."""
        alone, final = self.means()
        if alone <= 0 or self.baseline[0].clip_count < 2:
            return np.full(_RESAMPLES, np.nan)
        baseline, model = (
            noise.of_mean(Repeats.of(self.task.metric, seeds)).draw(generator, _RESAMPLES)
            for seeds in (self.baseline, self.model)
        )
        shifts: Floats = (baseline * final / alone - model) / alone
        return -shifts if self._errors else shifts


def summarize_seeds(samples: Sequence[TaskSeeds], seeds: int, noise: SeedNoise, seed: int = 0) -> Retrained:
    """Estimate what a tree keeps on average over seeds; one without tasks that share blocks keeps everything.

    Clips are resampled as for a verdict; the mean of every task is moved by what seeds do to it (eq. 24).
    """
    if not samples:
        return Retrained(seeds, 0.0, (0.0, 0.0), (0.0,) * seeds, ())
    generator = np.random.default_rng(seed)
    bootstrap = PairedBootstrap([paired for sample in samples for paired in sample.comparisons()], seed, _RESAMPLES)
    shifts = np.stack([sample.shifts(noise, generator) for sample in samples])[:, None]  # [t, 1, b]
    upper, lower = (drawn.reshape(len(samples), seeds, -1) + shifts for drawn in bootstrap.draws())
    units = min(bound.units for bound in bootstrap.bounds(0.5, 0.5))
    ars = _ars(samples)
    low, high = (np.maximum(drawn.max(axis=0), 0.0).mean(axis=0) for drawn in (lower, upper))
    return Retrained(
        seeds,
        float(ars.mean()),
        _interval(float(ars.mean()), low, high, units, (0.0, 1.0)),
        tuple(map(float, ars)),
        tuple(
            _task(sample, low.mean(axis=0), high.mean(axis=0), units)
            for sample, low, high in zip(samples, lower, upper, strict=True)
        ),
    )


def _ars(samples: Sequence[TaskSeeds]) -> Floats:
    """Return the AR of every seed [s] against the mean baselines."""
    baselines = {sample.task.name: sample.means()[0] for sample in samples}
    models = {sample.task.name: sample.metrics()[1] for sample in samples}
    seeds = zip(*models.values(), strict=True)
    errors = lower_is_better({sample.task.name: sample.task.metric for sample in samples})
    return np.array(
        [accuracy_reduction(baselines, dict(zip(models, metrics, strict=True)), errors) for metrics in seeds]
    )


def _task(sample: TaskSeeds, low: Floats, high: Floats, units: int) -> RetrainedTask:
    task, (alone, final) = sample.task, sample.means()
    lost, ends = float(sample.reductions().mean()), _ends(task.metric, alone)
    return RetrainedTask(task.name, task.metric, alone, final, lost, _interval(lost, low, high, units, ends))


def _ends(metric: str, alone: float) -> tuple[float, float]:
    """Return the least and the largest reduction that there is."""
    best, worst = METRICS[metric].best, METRICS[metric].worst
    if alone <= 0:
        return 0.0, 1.0
    least = 1 - best / alone if METRICS[metric].higher_is_better else best / alone - 1
    return least, math.inf if worst is None else 1 - worst / alone


def _interval(estimate: float, low: Floats, high: Floats, units: int, ends: tuple[float, float]) -> tuple[float, float]:
    """Return the interval between two sets of resampled values; it always holds the estimate."""
    if units < 2 or np.isnan(low).any():
        return min(ends[0], estimate), max(1.0 if math.isinf(ends[1]) else ends[1], estimate)
    tail = expanded((1 - CONFIDENCE) / 2, units)
    lower, upper = float(np.quantile(low, tail)), float(np.quantile(high, 1 - tail))
    return min(max(lower, ends[0]), estimate), max(min(upper, ends[1]), estimate)
