"""Studies whose models start from a trunk ask what they would ask from scratch, and each training after its trunk."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trunks import missing_trunks, trunk_of
from taskgraft.search.running.elsewhere import evidence_at
from taskgraft.search.strategies.plan import plan_trials
from taskgraft.search.strategies.remaining import trainings_left
from taskgraft.search.strategies.strategy import Ask, Spent, decide
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.search.study.training_spec import Start
from tests.properties.test_strategy import worlds
from tests.search.worlds import LENGTHS as LENGTHS_TRIED
from tests.search.worlds import World, make_spec, simulate

Case = tuple[int, dict[str, Any], World]
STRATEGIES = st.sampled_from(list(Strategy))
REPEATS = st.sampled_from([1, 2, "auto"])
LENGTHS = st.sampled_from([5, "auto"])


def with_start(start: Start, tasks: int, epochs: object, **more: Any) -> StudySpec:
    return make_spec(max(2, tasks), training={"epochs": epochs, "start": start}, **more)


@settings(max_examples=25, deadline=None)
@given(
    worlds(largest=3, spread=0.01),
    STRATEGIES,
    REPEATS,
    LENGTHS,
    st.integers(0, 1),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_a_trunk_comes_once_before_everything_that_starts_from_it_and_changes_no_question(
    case: Case, strategy: Strategy, repeats: object, epochs: object, confirm: int, workers: int, order: random.Random
) -> None:
    tasks, more, world = case
    world = replace(world, enough=10 if epochs == "auto" else 0)
    more |= {"strategy": strategy, "repeats": repeats, "confirm": confirm}
    spec = with_start(Start.TRUNK, tasks, epochs, **more)
    scratch = simulate(with_start(Start.SCRATCH, tasks, epochs, **more), world)
    run = simulate(spec, world, 1 if repeats == "auto" else workers, order)  # which repeats are made hangs on the pace
    assert run.settled == scratch.settled
    trunks = [training for training in run.trainings if training.is_trunk]
    assert len(set(trunks)) == len(trunks)
    assert {training for training in run.trainings if not training.is_trunk} == set(scratch.trainings)
    needed = {trunk_of(training, spec) for training in scratch.trainings}
    assert needed <= set(trunks)
    assert needed == set(trunks) or repeats == "auto"  # which may find an answer while a trunk for it is trained
    for place, training in enumerate(run.trainings):
        assert training.is_trunk or trunk_of(training, spec) in run.trainings[:place]
    assert len(run.trainings) <= plan_trials(spec)[1]


@settings(max_examples=30, deadline=None)
@given(worlds(largest=3), STRATEGIES, REPEATS, LENGTHS, st.integers(0, 8), st.integers(1, 3))
def test_trunks_count_for_the_budget(
    case: Case, strategy: Strategy, repeats: object, epochs: object, extra: int, workers: int
) -> None:
    tasks, more, world = case
    seeds = 2 if repeats == "auto" else int(str(repeats))
    trials = (max(2, tasks) + 1) * seeds + extra + strategy.fewest_trees * (1 if repeats == "auto" else seeds)
    more |= {"strategy": strategy, "repeats": repeats, "budget": {"trials": trials}}
    run = simulate(with_start(Start.TRUNK, tasks, epochs, **more), world, workers)
    assert len(run.trainings) <= trials


@settings(max_examples=40, deadline=None)
@given(worlds(largest=3), STRATEGIES, REPEATS, LENGTHS, st.data())
def test_what_is_left_never_falls_short_of_what_comes(
    case: Case, strategy: Strategy, repeats: object, epochs: object, data: st.DataObject
) -> None:
    tasks, more, world = case
    world = replace(world, enough=10 if epochs == "auto" else 0)
    spec = with_start(Start.TRUNK, tasks, epochs, strategy=strategy, repeats=repeats, confirm=1, **more)
    run = simulate(spec, world)
    cut = data.draw(st.integers(0, len(run.trials) - 1))
    evidence = Evidence(spec, run.trials[:cut], LENGTHS_TRIED)
    decision = decide(spec, evidence, Spent())
    assert isinstance(decision, Ask)
    assert decision.trunks == missing_trunks(decision.trainings, evidence)
    assert len(run.trials) - cut <= trainings_left(spec, evidence, decision).at_most


@settings(max_examples=25, deadline=None)
@given(worlds(largest=3), STRATEGIES, st.sampled_from([0.005, 0.02, 0.05]))
def test_another_threshold_is_read_off_the_same_trainings_as_from_scratch(
    case: Case, strategy: Strategy, threshold: float
) -> None:
    tasks, more, world = case
    known = [
        dict(evidence_at(spec.at_threshold(threshold), simulate(spec, world).trials).facts.known)
        for spec in (with_start(start, tasks, 5, strategy=strategy, **more) for start in Start)
    ]
    assert known[0].keys() == known[1].keys()
    assert all(known[0][training].metrics == known[1][training].metrics for training in known[0])


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("start", Start)
@pytest.mark.parametrize("repeats", [1, 2])
def test_what_only_chose_the_length_is_what_a_study_that_says_it_does_not_train(
    strategy: Strategy, start: Start, repeats: int
) -> None:
    world = World({("a", "b", 8): 0.05, ("a", "b", 6): 0.0}, enough=20)
    more = {"strategy": strategy, "repeats": repeats, "confirm": 1, "depths": [6, 8]}
    spec = with_start(start, 2, "auto", **more)
    run = simulate(spec, world)
    evidence = Evidence(spec, run.trials, LENGTHS_TRIED)
    assert evidence.epochs == 20
    fixed = simulate(with_start(start, 2, 20, **more), world)
    assert len(run.trainings) - evidence.only_for_length == len(fixed.trainings)
