"""`repeats: auto`: where further seeds are spent, what is said of what stays open, how often that is wrong."""

import random
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trees import components
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study.spec import BASELINE_REPEATS, MAX_REPEATS
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.worlds import finished, make_spec, outcomes, simulate

CLIPS = 800
CLASSES = 4


@dataclass(frozen=True)
class NoisyWorld:
    """Baselines are right nine times in ten, pairs lose ``ar``, and every seed moves a metric by ``spread``."""

    ar: float
    spread: float = 0.003
    seed: int = 0
    clips: int = CLIPS

    def measure(self, training: Training) -> Measurement:
        said = {task: self._outcomes(training, task) for task in training.tasks}
        metrics = {task: float((one.classes.truth == one.classes.predicted).mean()) for task, one in said.items()}
        return Measurement(metrics, said, 100, 80, 1.0, "nowhere:1")

    def _outcomes(self, training: Training, task: str) -> Outcomes:
        expected = 0.9 * (1 - (self.ar if len(training.tasks) > 1 else 0.0))
        chance = np.random.default_rng(random.Random(f"{self.seed} {training.key} {task}").randrange(2**31))
        right = chance.permutation(self.clips) < round((expected + chance.normal(0, self.spread)) * self.clips)
        truth = np.arange(self.clips, dtype=np.int32) % CLASSES
        predicted = np.where(right, truth, (truth + 1) % CLASSES).astype(np.int32)
        return Outcomes.of_classes(
            np.arange(self.clips, dtype=np.int32), truth, predicted, np.ones(self.clips, np.int32)
        )


def repeats(trainings: list[Training]) -> Counter[BranchTree]:
    return Counter(training.tree for training in trainings)


@pytest.mark.parametrize("decision", ["point", "confident"])
@pytest.mark.parametrize(("ar", "kept"), [(0.3, False), (-0.05, True)])
def test_a_clear_answer_takes_no_more_seeds_than_it_needs(decision: str, ar: float, kept: bool) -> None:
    spec = make_spec(2, repeats="auto", decision=decision, depths=[8])
    run = simulate(spec, NoisyWorld(ar))  # type: ignore[arg-type]
    counts = repeats(run.trainings)
    assert counts[BranchTree.flat("ab", 8, 8)] == 1
    assert counts[BranchTree.flat("a", 8, 8)] == counts[BranchTree.flat("b", 8, 8)] == BASELINE_REPEATS
    assert run.settled == Settled(BranchTree.flat("ab", 8 if kept else 0, 8))


def test_an_open_answer_takes_more_seeds_of_the_pair_and_of_its_baselines() -> None:
    spec = make_spec(3, repeats="auto", depths=[8])
    run = simulate(spec, NoisyWorld(0.018, spread=0.01))  # type: ignore[arg-type]
    counts = repeats(run.trainings)
    assert max(counts.values()) > BASELINE_REPEATS
    for tree, count in counts.items():
        assert count <= MAX_REPEATS
        for task in tree.tasks:
            assert counts[BranchTree.flat((task,), 8, 8)] >= count


def test_what_stays_open_counts_as_broken_and_is_named() -> None:
    """AR is the threshold itself: no number of seeds can tell."""
    spec = make_spec(2, repeats="auto", decision="confident", depths=[8])
    run = simulate(spec, NoisyWorld(0.02))  # type: ignore[arg-type]
    assert run.settled.tree == BranchTree.flat("ab", 0, 8)
    assert run.settled.reason == "undecided, and taken to break the threshold: a + b sharing 8 blocks"


def test_a_group_that_stays_open_is_named_too() -> None:
    spec = make_spec(3, strategy="groups", repeats="auto", decision="confident", depths=[8])
    run = simulate(spec, NoisyWorld(0.02))  # type: ignore[arg-type]
    assert not run.settled.tree.is_shared
    named = (run.settled.reason or "").partition("undecided, and taken to break the threshold: ")[2]
    assert "a + b + c sharing 8 blocks" in named


def test_a_task_with_a_single_clip_is_kept_apart_and_says_nothing_of_noise() -> None:
    spec = make_spec(3, repeats="auto", depths=[8])
    world = NoisyWorld(-0.03)

    class OneClip(NoisyWorld):
        def measure(self, training: Training) -> Measurement:
            measured = world.measure(training)
            if "c" not in training.tasks:
                return measured
            return replace(measured, outcomes={**measured.outcomes, "c": outcomes(1.0, clips=1)})

    run = simulate(spec, OneClip(-0.03))  # type: ignore[arg-type]
    assert [part.tasks for part in components(run.settled.tree)] == [("a", "b"), ("c",)]
    assert "the baseline of c is no better than chance" in (run.settled.reason or "")


def test_the_budget_ends_the_repeats() -> None:
    spec = make_spec(2, repeats="auto", depths=[8], budget={"trials": 5})
    run = simulate(spec, NoisyWorld(0.019, spread=0.02))  # type: ignore[arg-type]
    assert len(run.trials) == 5
    assert "the budget ended" in (run.settled.reason or "")


def test_workers_and_resuming_change_no_clear_result() -> None:
    spec, world = make_spec(3, repeats="auto", depths=[6, 8]), NoisyWorld(-0.03)
    alone = simulate(spec, world)  # type: ignore[arg-type]
    many = simulate(spec, world, workers=4, order=random.Random(5))  # type: ignore[arg-type]
    again = simulate(spec, world, known=alone.trials[:7])  # type: ignore[arg-type]
    assert alone.settled == many.settled == again.settled == Settled(BranchTree.flat("abc", 8, 8))


def test_a_later_seed_that_ended_first_is_not_asked_for_again() -> None:
    spec = make_spec(1, repeats="auto")
    first, second = (Training(BranchTree.flat("a", 8, 8), repeat) for repeat in range(BASELINE_REPEATS))
    evidence = Evidence(spec, [finished(second, Measurement({"a": 0.8}, {"a": outcomes(0.8)}, 100, 80, 1.0, "w"))])
    asked = decide(spec, evidence, Spent(frozenset([first])))
    assert isinstance(asked, Ask)
    assert asked.trainings == (first,)


def test_a_ledger_that_is_replayed_gives_the_same_decision_at_every_step() -> None:
    spec = make_spec(3, repeats="auto", decision="confident", depths=[7, 8])
    run = simulate(spec, NoisyWorld(0.015, spread=0.005))  # type: ignore[arg-type]
    for cut in range(len(run.trials)):
        decision = decide(spec, Evidence(spec, run.trials[:cut]), Spent())
        assert isinstance(decision, Ask)
        assert run.trials[cut].training in decision.trainings
    assert decide(spec, Evidence(spec, run.trials), Spent()) == run.settled


def test_checkpoints_are_chosen_by_baselines_that_no_later_seed_changes() -> None:
    spec, world = make_spec(2, repeats="auto"), NoisyWorld(0.0)
    evidence = Evidence(spec)
    for task in "ab":
        for repeat in range(BASELINE_REPEATS):
            training = Training(evidence.baseline(task), repeat)
            evidence.add(finished(training, world.measure(training)))
    first, deciding = evidence.first_references("ab"), evidence.references("ab")
    assert first == deciding
    later = Training(evidence.baseline("a"), BASELINE_REPEATS)
    evidence.add(finished(later, world.measure(later)))
    assert evidence.first_references("ab") == first
    assert evidence.references("ab") != deciding


@pytest.mark.slow
@pytest.mark.parametrize("decision", ["point", "confident"])
def test_pairs_that_break_the_threshold_are_rarely_taken_to_keep_it(decision: str) -> None:
    """The truth lies a little above the threshold; 5 % may be wrong, and 300 studies tell 5 from 9 %."""
    spec = make_spec(2, repeats="auto", decision=decision, depths=[8])
    runs = [simulate(spec, NoisyWorld(0.025, spread=0.006, seed=seed)) for seed in range(300)]  # type: ignore[arg-type]
    wrong = sum(run.settled.tree.is_shared for run in runs)
    assert wrong / len(runs) < 0.09
