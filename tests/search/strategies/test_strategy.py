"""Decisions on evidence made by hand; whole studies are in `tests/properties/test_strategy.py`."""

from collections.abc import Mapping

import pytest

from taskgraft.errors import TrainingFailed
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.strategy import Ask, Spent, decide
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.tree import BranchTree
from tests.search.worlds import World, finished, make_spec, outcomes

CLIPS = {"a": 100, "b": 100, "c": 100, "d": 5_000, "e": 5_000}


def measured(accuracies: Mapping[str, float]) -> Measurement:
    said = {task: outcomes(accuracy, CLIPS[task]) for task, accuracy in accuracies.items()}
    return Measurement(dict(accuracies), said, 100, 80, 1.0, "nowhere:1")


def test_repair_spares_a_part_whose_interval_keeps_the_threshold_though_it_loses_more() -> None:
    """{a,b,c} lose 1.25 % on 100 clips, {d,e} 1.5 % on 5,000: only the first may lose more than 2 %."""
    spec = make_spec(5, depths=[8], decision="confident")
    groups = (BranchTree.flat("abc", 8, 8), BranchTree.flat("de", 8, 8))
    trainings = {Training(BranchTree.flat((task,), 8, 8)): measured({task: 0.8}) for task in CLIPS}
    for index, first in enumerate(CLIPS):
        for second in list(CLIPS)[index + 1 :]:
            fits = any({first, second} <= set(group.tasks) for group in groups)
            lost = {"d": 0.012, "e": 0.012} if (first, second) == ("d", "e") else {}
            accuracies = {task: 0.8 - lost.get(task, 0.0) if fits else 0.4 for task in (first, second)}
            trainings[Training(BranchTree.flat((first, second), 8, 8))] = measured(accuracies)
    trainings[Training(groups[0])] = measured({"a": 0.79, "b": 0.8, "c": 0.8})
    evidence = Evidence(spec, [finished(one, found, n) for n, (one, found) in enumerate(trainings.items())])
    assert (evidence.meets_threshold(groups[0]), evidence.meets_threshold(groups[1])) == (False, True)
    decision = decide(spec, evidence, Spent())
    assert isinstance(decision, Ask)
    assert [(training.tasks, training.shared) for training in decision.trainings] == [(("a", "b", "c"), 7)]


def test_a_training_that_failed_ends_the_study_only_where_its_answer_is_wanted() -> None:
    """The pair shares 8 blocks: what it does at 7 is not asked any more."""
    spec, world = make_spec(2, depths=[7, 8]), World({("a", "b", 8): 0.0})
    evidence = Evidence(spec)
    for task in "ab":
        evidence.add(finished(Training(evidence.baseline(task)), world.measure(Training(evidence.baseline(task)))))
    pointless = Training(evidence.pair("a", "b", 7), is_probe=True)
    evidence.add(Trial(9, pointless, 0, TrialState.FAILED, error="the loss is nan"))
    assert isinstance(decide(spec, evidence, Spent()), Ask)
    wanted = Training(evidence.pair("a", "b", 8), is_probe=True)
    evidence.add(Trial(10, wanted, 0, TrialState.FAILED, error="the loss is nan"))
    with pytest.raises(TrainingFailed, match=r"training a\+b sharing 8 blocks failed: the loss is nan"):
        decide(spec, evidence, Spent())
