"""The end of a study: the one reading of the test split, and the report of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from taskgraft.errors import TrainingFailed
from taskgraft.evaluators.compression.quantised import Quantised
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import METRICS, measure_all
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.evidence.answers import outcomes_of, seed_noise
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reading import Reading
from taskgraft.search.evidence.retrained import TaskSeeds, summarize_seeds
from taskgraft.search.evidence.verdict import explain, judge, judged, verified_for
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.compressed import report_compression
from taskgraft.search.running.delivery import Delivery, choose_delivery
from taskgraft.search.running.networks import Networks, NetworkSizes
from taskgraft.search.running.readings import Readings, groups_of
from taskgraft.search.strategies.confirming import confirming_trainings
from taskgraft.search.study.preparation import PreparedStudy
from taskgraft.search.study.result import Compressed, FinalVerdict, Retrained
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True, eq=False)
class FinalReport:
    """The final model and what it is worth on the test split.

    ``found`` is the tree of the search, and ``tree`` that of the model: another one if tasks share weights by masks.
    ``sizes`` is what the model weighs, and ``metrics`` what the bundle says of it; ``quantised`` is its form of 8 bits,
    if that is asked for.
    """

    found: BranchTree
    tree: BranchTree
    model: TreeModel
    sizes: NetworkSizes
    test: Reading
    verdict: FinalVerdict
    verified_for: float | None
    scope: str
    retrained: Retrained | None
    reason: str | None
    metrics: Mapping[str, Any]
    compressed: Compressed | None = None
    quantised: Quantised | None = None


def final_report(
    prepared: PreparedStudy, data: StudyData, evidence: Evidence, checkpoints: Checkpoints, tree: BranchTree
) -> FinalReport:
    """Put the final model together and measure it, and the baselines, on the test split.

    Of several repeats the one with the least AR on validation becomes the model; `choose_delivery` says whether it is
    the tree that was found, or what compression made of it.

    Raises:
        TrainingFailed: no task learnt anything, or the model can't be quantised.
        Unavailable: a checkpoint is not there any more.
    """
    check_above_chance(evidence, prepared.spec)
    networks = Networks(prepared, data, checkpoints)
    readings = Readings(prepared, evidence, networks)
    delivery = choose_delivery(readings, tree)
    model = networks.assemble(delivery.tree, delivery.parts)
    answered = {name: [outcomes] for name, outcomes in evaluate(model, data, Split.TEST).items()}
    said = {Split.VALIDATION: outcomes_of(evidence, delivery.parts), Split.TEST: answered}
    read = {split: readings.against_baselines(split, one, delivery.alone) for split, one in said.items()}
    retrained = _retrained(readings, tree) if prepared.spec.confirm else None
    length = evidence.length.to_json() if evidence.length else None
    sizes = networks.total(delivery.parts)
    report = _report(prepared, tree, delivery, model, read, retrained, length, sizes)
    found = report_compression(readings, delivery, sizes, model, data)
    if found is None:
        return report
    metrics = {**report.metrics, "compression": found.metrics}
    return replace(report, metrics=metrics, compressed=found.compressed, quantised=found.quantised)


def _retrained(readings: Readings, tree: BranchTree) -> Retrained:
    """Summarize the further seeds of a tree and its baselines."""
    prepared, evidence = readings.prepared, readings.evidence
    trainings = confirming_trainings(prepared.spec, evidence, tree)
    alone = readings.on_test(*(training for training in trainings if len(training.tasks) == 1))
    shared = readings.on_test(*(training for training in trainings if len(training.tasks) > 1))
    groups = groups_of(prepared)
    samples = [
        TaskSeeds(task, alone[task.name], shared[task.name], groups[task.dataset])
        for task in prepared.spec.tasks
        if task.name in shared
    ]
    return summarize_seeds(samples, prepared.spec.confirm, seed_noise(evidence, with_confirming=True))


def check_above_chance(evidence: Evidence, spec: StudySpec) -> None:
    """Refuse a study whose tasks are all at chance: nothing can be said about any model of them.

    Raises:
        TrainingFailed: with the accuracies, and what may help.
    """
    if evidence.tasks_above_chance():
        return
    known = evidence.references(spec.task_names)
    figures = ", ".join(
        f"{task.name} {METRICS[task.metric].shown(known[task.name])} {task.metric}" for task in spec.tasks
    )
    raise TrainingFailed(
        "no task learnt anything: no baseline is significantly better on validation than always giving the same answer "
        f"({figures}); train longer (training.epochs), give more clips, or check the labels"
    )


def _scope(spec: StudySpec) -> str:
    """Say what the verdict is about."""
    again = "see retrained" if spec.confirm else "was not measured (confirm: K would)"
    if spec.baseline_repeats > 1:
        against = "the mean over baseline seeds, noise of seeds included"
    else:
        against = "the one baseline that was trained for each task"
    return (
        f"the weights in the bundle, which are one training of the tree, against {against}; what the tree keeps when "
        f"it is trained again: {again}"
    )


def _conclude(test: Reading, spec: StudySpec) -> tuple[FinalVerdict, float | None, str | None]:
    """Return the verdict, the smallest threshold that it would be ``verified`` for, and why it is not."""
    if not judged(test.tasks):
        reason = f"{FinalVerdict.NOT_REFUTED.words}: no task has an AR on test, since no baseline is above 0 there"
        return FinalVerdict.NOT_REFUTED, None, reason
    threshold = spec.ar_threshold
    return judge(test.tasks, threshold), verified_for(test.tasks), explain(test.tasks, threshold)


def _report(
    prepared: PreparedStudy,
    tree: BranchTree,
    delivery: Delivery,
    model: TreeModel,
    readings: Mapping[Split, Reading],
    retrained: Retrained | None,
    length: Mapping[str, Any] | None,
    sizes: NetworkSizes,
) -> FinalReport:
    spec, test = prepared.spec, readings[Split.TEST]
    verdict, smallest, reason = _conclude(test, spec)
    scope = _scope(spec)
    metrics = {
        "ar_threshold": spec.ar_threshold,
        "decision": spec.decision.value,
        "verdict": verdict.value,
        "verified": verdict is FinalVerdict.VERIFIED,
        "verified_for": smallest,
        "scope": scope,
        "ar": {split.value: reading.ar for split, reading in readings.items()},
        "ar_interval": {split.value: list(reading.interval) for split, reading in readings.items()},
        "confidence": 0.95,
        "retrained": asdict(retrained) if retrained else None,
        "training_length": length,
        "tasks": {task.name: _task_report(prepared, task.name, readings) for task in spec.tasks},
    }
    why = "; ".join(filter(None, (delivery.reason, reason))) or None
    return FinalReport(tree, delivery.tree, model, sizes, test, verdict, smallest, scope, retrained, why, metrics)


def _task_report(prepared: PreparedStudy, name: str, readings: Mapping[Split, Reading]) -> dict[str, Any]:
    labelled = next(labelled for labelled in prepared.labelled if labelled.task.name == name)
    test = next(task for task in readings[Split.TEST].tasks if task.name == name)
    return {
        "dataset": labelled.corpus,
        "kind": labelled.task.kind.value,
        **({"head": labelled.task.head} if labelled.task.head else {}),
        "metric": labelled.metric,
        "labels": list(labelled.targets.label_set),
        "clips": {split.value: dict(counts) for split, counts in labelled.targets.class_counts.items()},
        "baseline": {split.value: _all_metrics(reading.baselines[name]) for split, reading in readings.items()},
        "final": {split.value: _all_metrics(reading.model[name]) for split, reading in readings.items()},
        "reduction": {split.value: reading.reductions.get(name) for split, reading in readings.items()},
        "result": asdict(test),
    }


def _all_metrics(repeats: Sequence[Outcomes]) -> dict[str, float]:
    """Return every metric, mean over repeats."""
    measured = [measure_all(outcomes) for outcomes in repeats]
    return {metric: float(np.mean([metrics[metric] for metrics in measured])) for metric in measured[0]}
