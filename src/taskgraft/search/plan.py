"""What a study would cost, before anything is trained."""

import os
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.search.preparation import PreparedStudy
from taskgraft.search.spec import Strategy, StudySpec
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.template import Template, get_template
from taskgraft.space.tree import BranchTree

_MACS_PER_SECOND = 5e9
"""Multiply-accumulates that one core trains with in a second, forward and backward: the order of magnitude only."""
_PASSES = 3
"""A backward pass costs twice a forward pass."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Least and greatest cost of a study.

    Trials: a study whose pairs all fit at the first depth and whose tree needs no repair takes ``trials_at_least``; the
    most is every depth of every pair and as many repairs as there are blocks to take away. ``clips`` are the labelled
    clips of each task by split.
    """

    trials_at_least: int
    trials_at_most: int
    seconds_at_least: float
    seconds_at_most: float
    workers: int
    independent_parameters: int
    fully_shared_parameters: int
    clips: dict[str, dict[str, int]]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def plan_study(spec: StudySpec, prepared: PreparedStudy, workers: int | None = None) -> Plan:
    """Count what a study would train, and estimate how long that takes on ``workers`` cores."""
    template = get_template(spec.template)
    workers = workers or os.cpu_count() or 1
    least, most = _trial_counts(spec, template)
    seconds = _seconds_per_trial(spec, prepared, template) / workers
    shared = BranchTree.flat(spec.task_names, template.depth, template.depth)
    return Plan(
        trials_at_least=least,
        trials_at_most=most,
        seconds_at_least=round(least * seconds, 1),
        seconds_at_most=round(most * seconds, 1),
        workers=workers,
        independent_parameters=independent_parameters(template, prepared.tasks),
        fully_shared_parameters=tree_cost(shared, template, prepared.tasks).parameters or 0,
        clips={one.task.name: _clips(one.targets.labelled, prepared, one.corpus) for one in prepared.labelled},
    )


def _trial_counts(spec: StudySpec, template: Template) -> tuple[int, int]:
    tasks = len(spec.tasks)
    pairs = len(list(combinations(spec.task_names, 2)))
    depths = len(spec.depths)
    verification = 1 if tasks > 2 else 0  # a pair's tree is the pair, a task's tree its baseline
    repairs = (tasks - 1) * template.depth if tasks > 2 else 0
    least = tasks + pairs * (depths if spec.strategy is Strategy.EXHAUSTIVE else 1) + verification
    most = tasks + pairs * depths + repairs
    limit = spec.budget.trials
    counts = [count * spec.repeats for count in (least, most)]
    return (counts[0], counts[1]) if limit is None else (min(counts[0], limit), min(counts[1], limit))


def _seconds_per_trial(spec: StudySpec, prepared: PreparedStudy, template: Template) -> float:
    """A model of one task on a core; a pair on two corpora takes up to twice that."""
    training = spec.training
    seconds = training.clip_seconds or 1.0
    largest = max(sum(split is Split.TRAIN for split in corpus.splits) for corpus in prepared.corpora.values())
    tree = BranchTree.flat(spec.task_names[:1], template.depth, template.depth)
    macs = tree_cost(tree, template, prepared.tasks[:1]).macs_per_second or 0
    return training.epochs * largest * seconds * macs * _PASSES / _MACS_PER_SECOND


def _clips(
    labelled: "np.ndarray[tuple[int], np.dtype[np.bool_]]", prepared: PreparedStudy, corpus: str
) -> dict[str, int]:
    splits = np.array(prepared.corpora[corpus].splits, np.str_)
    return {split.value: int((labelled & (splits == split.value)).sum()) for split in Split}
