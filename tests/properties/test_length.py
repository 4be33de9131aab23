"""Whole studies that choose their training length, in made-up worlds: what they choose, and what it costs."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.plan import plan_trials
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import FIRST_CONFIRMING
from tests.search.worlds import LENGTHS, Run, World, make_spec, simulate

AUTO: dict[str, Any] = {"training": {"epochs": "auto"}}
KEEPS = World(elsewhere=0.0, worst_tree=0.0, clips=400)
NEVER_ENOUGH = 160


def epochs_of(run: Run) -> set[int | None]:
    """The epochs of every model of several tasks."""
    return {training.epochs for training in run.trainings if len(training.tasks) > 1}


def used(spec: StudySpec, run: Run) -> int | None:
    return Evidence(spec, run.trials).epochs


def alone(run: Run) -> Counter[tuple[int | None, int]]:
    """How many baselines were trained, by epochs and repeat."""
    return Counter((training.epochs, training.repeat) for training in run.trainings if len(training.tasks) == 1)


@pytest.mark.parametrize(
    ("world", "epochs"),
    [
        (KEEPS, 5),
        (replace(KEEPS, enough=10), 10),
        (replace(KEEPS, enough=40), 40),
        (replace(KEEPS, enough=NEVER_ENOUGH), 80),
        (replace(KEEPS, steady=20), 20),
        (replace(KEEPS, enough=10, steady=40), 40),
        (replace(KEEPS, steady=1000), 80),
    ],
)
@pytest.mark.parametrize("strategy", ["adaptive", "groups"])
def test_the_length_is_the_first_that_gains_nothing_and_at_which_seeds_agree(
    world: World, epochs: int, strategy: str
) -> None:
    spec = make_spec(3, strategy=strategy, **AUTO)
    run = simulate(spec, world, workers=2)
    assert epochs_of(run) == {epochs}
    assert used(spec, run) == epochs
    assert run.settled.reason is None
    assert run.settled.tree == simulate(make_spec(3, strategy=strategy), world).settled.tree
    lengths = [length for length in LENGTHS if length <= 2 * epochs]
    assert {length for length, _ in alone(run)} == set(lengths)
    assert set(alone(run).values()) == {3}, "every baseline is trained once"


def test_the_baselines_of_the_length_are_all_trained_before_any_pair() -> None:
    run = simulate(make_spec(3, **AUTO), replace(KEEPS, enough=10), workers=4, order=random.Random(3))
    first = next(place for place, training in enumerate(run.trainings) if len(training.tasks) > 1)
    assert all(len(training.tasks) == 1 for training in run.trainings[:first])
    assert all(len(training.tasks) > 1 for training in run.trainings[first:])
    assert run.stages[0] is Stage.BASELINES


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 4),
    st.sampled_from([0, 10, 40]),
    st.sampled_from([0, 10, 80]),
    st.sampled_from([1, 2]),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_neither_workers_nor_their_order_change_the_length(
    tasks: int, enough: int, steady: int, repeats: int, workers: int, order: random.Random
) -> None:
    spec = make_spec(tasks, depths=[4, 8], repeats=repeats, **AUTO)
    world = replace(KEEPS, enough=enough, steady=steady, spread=0.01)
    one, many = simulate(spec, world), simulate(spec, world, workers, order)
    assert many.settled == one.settled
    assert Counter(many.trainings) == Counter(one.trainings)
    least, most = plan_trials(spec)
    assert least <= len(one.trials) <= most


@pytest.mark.parametrize("steady", [0, 10, 80])
def test_with_repeats_auto_the_plan_holds_too(steady: int) -> None:
    spec = make_spec(3, depths=[4, 8], repeats="auto", **AUTO)
    run = simulate(spec, replace(KEEPS, steady=steady, spread=0.01), workers=2)
    least, most = plan_trials(spec)
    assert least <= len(run.trials) <= most
    (epochs,) = epochs_of(run)
    assert epochs is not None
    assert epochs >= steady


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([0, 10, 40]), st.sampled_from([0, 20]), st.data())
def test_a_study_that_was_killed_chooses_the_same_length(enough: int, steady: int, data: st.DataObject) -> None:
    spec = make_spec(3, depths=[4, 8], **AUTO)
    world = World({("a", "b", 8): 0.0}, clips=400, enough=enough, steady=steady)
    whole = simulate(spec, world, workers=2, order=random.Random(1))
    cut = data.draw(st.integers(0, len(whole.trials)))
    resumed = simulate(spec, world, known=whole.trials[:cut])
    assert resumed.settled == whole.settled
    assert Counter(resumed.trainings) == Counter(whole.trainings)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(3, 40), st.sampled_from([0, 20, NEVER_ENOUGH]), st.sampled_from([1, 2]), st.integers(1, 4), st.data()
)
def test_no_budget_is_exceeded_and_every_baseline_of_the_length_is_trained(
    trials: int, enough: int, repeats: int, workers: int, data: st.DataObject
) -> None:
    trials = max(trials, 3 * repeats)
    spec = make_spec(3, repeats=repeats, budget={"trials": trials}, **AUTO)
    world = replace(KEEPS, enough=enough)
    whole = simulate(spec, world, workers, data.draw(st.randoms(use_true_random=False)))
    assert len(whole.trials) <= trials
    epochs = used(spec, whole)
    assert epochs_of(whole) <= {epochs}
    assert all(alone(whole)[epochs, repeat] == 3 for repeat in range(repeats))
    cut = data.draw(st.integers(0, len(whole.trials)))
    resumed = simulate(spec, world, known=whole.trials[:cut])
    assert used(spec, resumed) == epochs


@pytest.mark.parametrize(("trials", "epochs"), [(3, 5), (5, 5), (6, 10), (8, 10), (9, 20), (14, 40)])
def test_a_budget_that_ends_before_the_length_is_found_says_what_was_used(trials: int, epochs: int) -> None:
    spec = make_spec(3, budget={"trials": trials}, **AUTO)
    run = simulate(spec, replace(KEEPS, enough=NEVER_ENOUGH))
    assert used(spec, run) == epochs
    said = f"the budget ended before the training length was found; {epochs} epochs were used"
    assert said in (run.settled.reason or "")


@pytest.mark.parametrize(("after", "epochs"), [(0, 5), (2, 5), (4, 5), (6, 10), (7, 10), (9, 20)])
def test_time_that_ends_before_the_length_is_found_leaves_the_longest_that_is_known(after: int, epochs: int) -> None:
    spec = make_spec(3, budget={"seconds": 10}, **AUTO)
    run = simulate(spec, replace(KEEPS, enough=NEVER_ENOUGH), seconds=lambda count: 99.0 if count >= after else 0.0)
    assert used(spec, run) == epochs
    assert f"{epochs} epochs were used" in (run.settled.reason or "")
    assert not run.settled.tree.is_shared


def test_further_repeats_and_confirming_seeds_have_the_length_too() -> None:
    run = simulate(make_spec(2, repeats=2, confirm=2, **AUTO), replace(KEEPS, enough=20))
    assert {training.epochs for training in run.trainings if training.repeat >= FIRST_CONFIRMING} == {20}
    assert alone(run)[20, 1] == 2
