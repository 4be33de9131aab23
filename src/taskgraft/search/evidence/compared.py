"""Single trainings against the baselines of the same repeat and length: what a list of trainings shows of each."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from taskgraft.evaluators.metrics import accuracy_reduction, reductions
from taskgraft.search.study.trial import Trial


@dataclass(frozen=True, slots=True, eq=False)
class ComparedTrial:
    """A training that ended, with its reductions and its AR; None if it failed, is a trunk, or lacks a baseline.

    Tasks whose baseline is not above 0 have no reduction.
    """

    trial: Trial
    reductions: Mapping[str, float] | None = None
    ar: float | None = None


def compare_trials(trials: Sequence[Trial], errors: Collection[str] = ()) -> Iterator[ComparedTrial]:
    """Compare each training with the baselines of its repeat and length, in the same order.

    The baselines are those of the study's own recipe, for trainings of other recipes, too. ``errors`` are the tasks
    whose metric is better if it is lower.
    """
    baselines: dict[tuple[int, int | None], dict[str, float]] = defaultdict(dict)
    for trial in trials:
        if trial.measurement is not None and len(trial.training.tasks) == 1 and not trial.training.is_variant:
            baselines[trial.training.repeat, trial.training.epochs] |= trial.measurement.metrics
    return (_compare(trial, baselines[trial.training.repeat, trial.training.epochs], errors) for trial in trials)


def _compare(trial: Trial, baselines: Mapping[str, float], errors: Collection[str]) -> ComparedTrial:
    measured = trial.measurement
    if measured is None or trial.training.is_trunk or not baselines.keys() >= measured.metrics.keys():
        return ComparedTrial(trial)
    lost = reductions(baselines, measured.metrics, errors)
    ar = accuracy_reduction(baselines, measured.metrics, errors) if lost else None
    return ComparedTrial(trial, lost, ar)
