"""Accuracy reductions: what a model loses against the baselines of its tasks, as shares of theirs."""

from collections.abc import Collection, Mapping

from taskgraft.evaluators.metrics.registry import METRICS

NOTHING: frozenset[str] = frozenset()


def lower_is_better(metrics: Mapping[str, str]) -> frozenset[str]:
    """Return the tasks whose metric is an error, given each task's metric by name."""
    return frozenset(task for task, metric in metrics.items() if not METRICS[metric].higher_is_better)


def reductions(
    baselines: Mapping[str, float], metrics: Mapping[str, float], errors: Collection[str] = NOTHING
) -> dict[str, float]:
    """Return the signed reduction of each task, ``(b - m) / b``, below 0 if it gains.

    For the tasks named by ``errors``, whose metric is better if it is lower, it is ``(m - b) / b``. A task whose
    baseline is not above 0 has no reduction and is left out.
    """
    return {
        task: ((metric - baselines[task]) if task in errors else (baselines[task] - metric)) / baselines[task]
        for task, metric in metrics.items()
        if not baselines[task] <= 0
    }


def worst_reduction(
    baselines: Mapping[str, float], metrics: Mapping[str, float], errors: Collection[str] = NOTHING
) -> float:
    """Return the largest signed reduction; tasks that have none count as 0, so that there always is one."""
    known = reductions(baselines, metrics, errors)
    return max(known.get(task, 0.0) for task in metrics)


def accuracy_reduction(
    baselines: Mapping[str, float], metrics: Mapping[str, float], errors: Collection[str] = NOTHING
) -> float:
    """Return the AR of a model: its worst task's reduction, never below 0.

    Rounded to 12 digits: a clip of fifty is 0.02 then, and keeps a threshold of 0.02.
    """
    return round(max([0.0, *reductions(baselines, metrics, errors).values()]), 12)
