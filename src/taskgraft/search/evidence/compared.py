"""Single trainings against the baselines of the same repeat and length: what a list of trainings shows of each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from taskgraft.evaluators.metrics import accuracy_reduction, reductions
from taskgraft.search.study.trial import Trial

Repeat = tuple[int, int | None]
"""A repeat, and the length of its trainings if the study leaves that open."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedTrial:
    """A training that ended, with its reductions and its AR; None if it failed, is a trunk, or lacks a baseline.

    Tasks whose baseline is not above 0 have no reduction.
    """

    trial: Trial
    reductions: Mapping[str, float] | None = None
    ar: float | None = None


def compare_with(
    trial: Trial, known: Mapping[Repeat, Mapping[str, float]], errors: Collection[str] = ()
) -> ComparedTrial:
    """Compare a training with the baselines of its repeat and length, of which ``known`` has the metrics.

    They are those of the study's own recipe, for trainings of other recipes, too. ``errors`` are the tasks whose metric
    is better if it is lower.
    """
    baselines = known.get((trial.training.repeat, trial.training.epochs), {})
    measured = trial.measurement
    if measured is None or trial.training.is_trunk or not baselines.keys() >= measured.metrics.keys():
        return ComparedTrial(trial)
    lost = reductions(baselines, measured.metrics, errors)
    ar = accuracy_reduction(baselines, measured.metrics, errors) if lost else None
    return ComparedTrial(trial, lost, ar)
