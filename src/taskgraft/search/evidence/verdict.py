"""The verdict on a delivered model: what its test split says about every task, and what follows.

Pure functions on plain values. Equations, assumptions and measured error rates: docs/statistics.md.
"""

import math
from collections.abc import Iterable, Sequence

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.metrics import METRICS
from taskgraft.search.study.result import FinalVerdict, TaskResult

ERROR = 0.05
"""How often a verdict may be wrong: ``verified`` at a true AR above Q, and ``refuted`` at one of at most Q."""


def judged(tasks: Iterable[TaskResult]) -> list[TaskResult]:
    """Return the tasks that a verdict is about: those above chance."""
    return [task for task in tasks if not task.at_chance]


def judge(tasks: Sequence[TaskResult], threshold: float) -> FinalVerdict:
    """Return the verdict on whether a model keeps the threshold.

    ``verified`` is an intersection-union test (Berger 1982), so its error does not grow with the number of tasks;
    ``refuted`` is a union of tests, each with its part of the error (Bonferroni).

    Raises:
        InvalidInput: no task is above chance.
    """
    bounds = [task.bounds for task in judged(tasks)]
    if not bounds:
        raise InvalidInput.at("tasks", "a verdict needs a task above chance")
    if all(upper <= threshold for _, upper in bounds):
        return FinalVerdict.VERIFIED
    if any(lower > threshold for lower, _ in bounds):
        return FinalVerdict.REFUTED
    return FinalVerdict.NOT_REFUTED


def verified_for(tasks: Sequence[TaskResult]) -> float | None:
    """Return the smallest threshold that the model would be verified for; None when there is none below 1.

    It may be read at any threshold: the bounds of a task are the same for all of them.
    """
    smallest = max((max(task.bounds[1], 0.0) for task in judged(tasks)), default=0.0)
    return smallest if smallest < 1 else None


def summarize(verdict: FinalVerdict, ar: float, smallest: float | None) -> str:
    """Put a verdict into one line.

    >>> summarize(FinalVerdict.NOT_REFUTED, 0.013, 0.03101)
    'not refuted: AR 1.30 % on test, verified for Q >= 3.11 %'
    """
    line = f"{verdict.words}: AR {_percent(ar)} on test"
    if verdict is FinalVerdict.VERIFIED or smallest is None:
        return line
    return f"{line}, verified for Q >= {percent_up(smallest)}"


def percent_up(fraction: float) -> str:
    """Write a bound in per cent, rounded up: what is written down holds, too."""
    return f"{math.ceil(round(1e4 * fraction, 6)) / 100:.2f} %"


def explain(tasks: Sequence[TaskResult], threshold: float) -> str | None:
    """Say why a model is not verified, with the figures of every task that is to blame; None when it is."""
    verdict = judge(tasks, threshold)
    if verdict is FinalVerdict.VERIFIED:
        return None
    if verdict is FinalVerdict.REFUTED:
        blamed = [task for task in judged(tasks) if task.bounds[0] > threshold]
        what = "it loses more on test"
    else:
        blamed = [task for task in judged(tasks) if task.bounds[1] > threshold]
        what = "test cannot tell"
    figures = "; ".join(_figures(task) for task in blamed)
    reason = f"{verdict.words} at {_percent(threshold)}: {what} ({figures})"
    smallest = verified_for(tasks)
    return reason if smallest is None else f"{reason}; verified for Q >= {percent_up(smallest)}"


def _figures(task: TaskResult) -> str:
    lower, upper = task.bounds
    shown = METRICS[task.metric].shown
    counted = f"{task.test_clips:,} clips"
    if task.test_groups is not None:
        counted += f" in {task.test_groups:,} groups"
    return (
        f"{task.name}: {task.metric} {shown(task.baseline, 2)} alone, {shown(task.final, 2)} here, "
        f"reduction {_percent(task.reduction or 0.0)}, bounds {_percent(lower)} to {_percent(upper)}, {counted}"
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"
