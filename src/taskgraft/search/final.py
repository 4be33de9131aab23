"""The end of a study: the one reading of the test split, and the report of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from taskgraft.evaluators.assembly import assemble_model
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import (
    TaskComparison,
    accuracy_reduction,
    measure_all,
    reduction_interval,
    reductions,
)
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.artifacts import Checkpoints
from taskgraft.search.evidence import Evidence, components
from taskgraft.search.preparation import PreparedStudy
from taskgraft.search.spec import StudySpec
from taskgraft.search.trial import Training
from taskgraft.space.matrix import Decision
from taskgraft.space.tree import BranchTree

Answers = dict[str, list[Outcomes]]
"""Outcomes of each task, one entry per repeat."""


@dataclass(frozen=True, slots=True, eq=False)
class FinalReport:
    """The final model and what it is worth. ``ar`` and ``interval`` are of the test split."""

    tree: BranchTree
    model: TreeModel
    verified: bool
    reason: str | None
    ar: float
    interval: tuple[float, float]
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """What baselines and model say about one split, and what follows."""

    spec: StudySpec
    baselines: Answers
    model: Answers

    def value(self, answers: Answers, task: str, metric: str) -> float:
        return float(np.mean([measure_all(one)[metric] for one in answers[task]]))

    def chosen(self, answers: Answers) -> dict[str, float]:
        """Each task's own metric."""
        return {task.name: self.value(answers, task.name, task.metric) for task in self.spec.tasks}

    @property
    def ar(self) -> float:
        return accuracy_reduction(self.chosen(self.baselines), self.chosen(self.model))

    @property
    def reductions(self) -> dict[str, float]:
        return reductions(self.chosen(self.baselines), self.chosen(self.model))

    def interval(self, tree: BranchTree) -> tuple[float, float]:
        shared = {name for part in components(tree) if len(part.tasks) > 1 for name in part.tasks}
        low, high = reduction_interval(
            [
                TaskComparison(task.dataset, task.metric, self.baselines[task.name], self.model[task.name])
                for task in self.spec.tasks
                if task.name in shared
            ]
        )
        return min(low, self.ar), max(high, self.ar)


def final_report(
    prepared: PreparedStudy, data: StudyData, evidence: Evidence, checkpoints: Checkpoints, tree: BranchTree
) -> FinalReport:
    """Put the final model together and measure it, and the baselines, on the test split.

    Of several repeats the one with the least AR on validation becomes the model.

    Raises:
        Unavailable: a checkpoint is not there any more.
    """
    spec = prepared.spec
    chosen = [evidence.best_repeat(part) for part in components(tree)]
    tasks = {task.name: task for task in prepared.tasks}
    parts = [(training.tree, checkpoints.load(training)) for training in chosen]
    model = assemble_model(tree, data.template, tasks, parts)
    validation = _Reading(spec, evidence.baseline_outcomes(), evidence.outcomes_of(chosen))
    baselines: Answers = {}
    for name in spec.task_names:
        trained = evidence.trainings(evidence.baseline(name))
        baselines[name] = [_test_outcomes(training, checkpoints, data, name) for training in trained]
    answered = {name: [outcomes] for name, outcomes in evaluate(model, data, Split.TEST).items()}
    test = _Reading(spec, _own_baselines(tree, baselines, answered), answered)
    return _report(prepared, tree, model, validation, test)


def _own_baselines(tree: BranchTree, baselines: Answers, answered: Answers) -> Answers:
    """Baselines to compare with: a task that shares nothing is its own baseline, whichever repeat was taken."""
    alone = {part.tasks[0] for part in components(tree) if len(part.tasks) == 1}
    return {name: answered[name] if name in alone else outcomes for name, outcomes in baselines.items()}


def _test_outcomes(training: Training, checkpoints: Checkpoints, data: StudyData, name: str) -> Outcomes:
    tasks = {name: data.tasks[name].task}
    model = assemble_model(training.tree, data.template, tasks, [(training.tree, checkpoints.load(training))])
    return evaluate(model, data, Split.TEST)[name]


def _report(
    prepared: PreparedStudy, tree: BranchTree, model: TreeModel, validation: _Reading, test: _Reading
) -> FinalReport:
    spec = prepared.spec
    interval = test.interval(tree)
    deciding = test.ar if spec.decision is Decision.POINT else interval[1]
    verified = deciding <= spec.ar_threshold
    reason = None
    if not verified:
        figure = "AR" if spec.decision is Decision.POINT else "the upper end of AR"
        reason = (
            f"the tree keeps the threshold {spec.ar_threshold} on validation (AR {validation.ar:.4f}), "
            f"but not on test ({figure} {deciding:.4f})"
        )
    splits = {Split.VALIDATION: validation, Split.TEST: test}
    metrics = {
        "ar_threshold": spec.ar_threshold,
        "decision": spec.decision.value,
        "verified": verified,
        "ar": {split.value: reading.ar for split, reading in splits.items()},
        "ar_interval": {split.value: list(reading.interval(tree)) for split, reading in splits.items()},
        "confidence": 0.95,
        "tasks": {task.name: _task_report(prepared, task.name, splits) for task in spec.tasks},
    }
    return FinalReport(tree, model, verified, reason, test.ar, interval, metrics)


def _task_report(prepared: PreparedStudy, name: str, splits: Mapping[Split, _Reading]) -> dict[str, Any]:
    labelled = next(one for one in prepared.labelled if one.task.name == name)
    return {
        "dataset": labelled.corpus,
        "kind": labelled.task.kind.value,
        "metric": labelled.metric,
        "labels": list(labelled.targets.label_set),
        "clips": {split.value: dict(counts) for split, counts in labelled.targets.class_counts.items()},
        "baseline": {split.value: _all_metrics(reading.baselines[name]) for split, reading in splits.items()},
        "final": {split.value: _all_metrics(reading.model[name]) for split, reading in splits.items()},
        "reduction": {split.value: reading.reductions[name] for split, reading in splits.items()},
    }


def _all_metrics(repeats: list[Outcomes]) -> dict[str, float]:
    """Every metric, mean over repeats."""
    measured = [measure_all(one) for one in repeats]
    return {metric: float(np.mean([one[metric] for one in measured])) for metric in measured[0]}
