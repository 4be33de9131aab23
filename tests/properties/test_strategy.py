"""Whole studies in made-up worlds: what is asked, when it ends, and that nobody's pace or luck changes the answer."""

import random
from collections import Counter
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.errors import TrainingFailed
from taskgraft.search.evidence.answers import seed_noise
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import decisive_matrix, matrix_of
from taskgraft.search.evidence.trees import components
from taskgraft.search.strategies.bisection import BISECTION
from taskgraft.search.strategies.plan import plan_trials
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.synthesis import synthesize
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.search.worlds import Run, World, finished, make_spec, measurement, simulate

CNN8 = get_template("cnn8")
OF_PAIRS = ("adaptive", "bisection", "exhaustive")
REDUCTIONS = st.sampled_from([0.0, 0.005, 0.01, 0.02, 0.021, 0.05, 0.3])


@st.composite
def worlds(draw: st.DrawFn, largest: int = 5, spread: float = 0.0) -> tuple[int, dict[str, Any], World]:
    """A number of tasks, further fields of the study, and what every training in it would measure."""
    tasks = draw(st.integers(1, largest))
    depths = draw(st.sampled_from([(4, 5, 6, 7, 8), (8, 4), (2, 5), (6,)]))
    names = "abcdefg"[:tasks]
    cells = {(*pair, depth): draw(REDUCTIONS) for pair in combinations(names, 2) for depth in depths}
    worst = draw(st.sampled_from([0.0, 0.021, 0.05]))
    world = World(cells, seed=draw(st.integers(0, 99)), worst_tree=worst, spread=spread)
    return tasks, {"depths": depths}, world


def evidence_of(spec: StudySpec, run: Run) -> Evidence:
    return Evidence(spec, run.trials)


@settings(max_examples=80, deadline=None)
@given(worlds())
def test_adaptive_finds_what_exhaustive_finds_with_no_more_trainings(case: tuple[int, dict[str, Any], World]) -> None:
    tasks, more, world = case
    runs = {name: simulate(make_spec(tasks, strategy=name, **more), world) for name in ("adaptive", "exhaustive")}
    graphs = [matrix_of(evidence_of(make_spec(tasks, **more), run), False).compatibility(0.02) for run in runs.values()]
    assert [dict(graph.adjacency()) for graph in graphs[:1]] == [dict(graph.adjacency()) for graph in graphs[1:]]
    assert runs["adaptive"].settled == runs["exhaustive"].settled
    asked = {name: {(training.tree, training.repeat) for training in run.trainings} for name, run in runs.items()}
    assert asked["adaptive"] <= asked["exhaustive"]


@settings(max_examples=40, deadline=None)
@given(worlds(), st.sampled_from(OF_PAIRS))
def test_every_pair_is_asked_once_before_any_is_asked_again(
    case: tuple[int, dict[str, Any], World], strategy: str
) -> None:
    tasks, more, world = case
    run = simulate(make_spec(tasks, strategy=strategy, **more), world)
    asked, rounds = Counter[tuple[str, ...]](), []
    for training in run.trainings[tasks:]:
        if len(training.tasks) == 2 and (training.is_probe or strategy == "exhaustive"):
            asked[training.tasks] += 1
            rounds.append(asked[training.tasks])
    first = [n == 1 for n in rounds]
    assert first == sorted(first, reverse=True)
    assert strategy == "bisection" or rounds == sorted(rounds)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_bisection_finds_the_compatibilities_of_the_sweep_where_sharing_more_never_helps(
    case: tuple[int, dict[str, Any], World],
) -> None:
    tasks, more, world = case
    rising = {
        (a, b, depth): max(ar for (c, d, other), ar in world.cells.items() if (a, b) == (c, d) and other <= depth)
        for a, b, depth in world.cells
    }
    specs = [make_spec(tasks, strategy=name, **more) for name in ("bisection", "exhaustive")]
    runs = [simulate(spec, replace(world, cells=rising)) for spec in specs]
    found, swept = (
        matrix_of(evidence_of(spec, run), False).compatibility(spec.ar_threshold)
        for spec, run in zip(specs, runs, strict=True)
    )
    for pair in combinations(specs[0].task_names, 2):
        assert found.get_edge_data(*pair) == swept.get_edge_data(*pair)
    asked = sum(training.is_probe for training in runs[0].trainings)
    assert asked <= tasks * (tasks - 1) // 2 * BISECTION.rule.most_questions(tuple(sorted(specs[0].depths)))


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(1, 4), st.randoms(use_true_random=False), st.sampled_from(OF_PAIRS))
def test_neither_workers_nor_their_order_change_the_result(
    case: tuple[int, dict[str, Any], World], workers: int, order: random.Random, strategy: str
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, strategy=strategy, **more)
    alone, many = simulate(spec, world), simulate(spec, world, workers, order)
    assert many.settled == alone.settled
    assert Counter(many.trainings) == Counter(alone.trainings)
    assert max(Counter(many.trainings).values()) == 1


@settings(max_examples=40, deadline=None)
@given(worlds(), st.data())
def test_a_study_goes_on_from_its_ledger_as_if_nothing_had_happened(
    case: tuple[int, dict[str, Any], World], data: st.DataObject
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, **more)
    whole = simulate(spec, world, workers=2, order=random.Random(1))
    cut = data.draw(st.integers(0, len(whole.trials)))
    resumed = simulate(spec, world, known=whole.trials[:cut])
    assert resumed.settled == whole.settled
    assert Counter(resumed.trainings) == Counter(whole.trainings)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_the_tree_that_is_settled_on_keeps_the_threshold_and_every_compatibility(
    case: tuple[int, dict[str, Any], World],
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, **more)
    run = simulate(spec, world)
    evidence = evidence_of(spec, run)
    tree = run.settled.tree
    assert evidence.ar(tree) <= spec.ar_threshold
    graph = matrix_of(evidence, False).compatibility(spec.ar_threshold)
    for pair in combinations(spec.task_names, 2):
        assert tree.shared_depth(*pair) <= graph.get_edge_data(*pair, {}).get("weight", 0)
    first = synthesize(decisive_matrix(evidence), spec.ar_threshold, CNN8)
    assert (tree == first) is (run.settled.reason is None)
    if run.settled.reason:
        assert evidence.ar(first) > spec.ar_threshold
        assert f"AR {evidence.ar(first):.4f} on validation" in run.settled.reason


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(0, 30), st.integers(1, 4), st.randoms(use_true_random=False))
def test_a_budget_in_trials_is_never_exceeded_and_the_outcome_says_what_was_left_out(
    case: tuple[int, dict[str, Any], World], spare: int, workers: int, order: random.Random
) -> None:
    tasks, more, world = case
    limit = tasks + spare
    spec = make_spec(tasks, budget={"trials": limit}, **more)
    run, unlimited = simulate(spec, world, workers, order), simulate(make_spec(tasks, **more), world)
    assert len(run.trials) <= limit
    assert evidence_of(spec, run).ar(run.settled.tree) <= spec.ar_threshold
    if run.settled != unlimited.settled:
        assert "the budget ended" in (run.settled.reason or "")
    if limit >= len(unlimited.trials) + workers + 1:
        assert run.settled == unlimited.settled


@settings(max_examples=25, deadline=None)
@given(worlds(), st.sampled_from([*OF_PAIRS, "groups"]), st.sampled_from([1, 2]), st.integers(1, 3))
def test_what_confirms_a_tree_changes_nothing_that_was_searched(
    case: tuple[int, dict[str, Any], World], strategy: str, repeats: int, seeds: int
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, strategy=strategy, repeats=repeats, **more)
    alone = simulate(spec, replace(world, spread=0.01))
    confirming = spec.model_copy(update={"confirm": seeds})
    both = simulate(confirming, replace(world, spread=0.01))
    searched = [trial for trial in both.trials if not trial.training.is_confirming]
    further = [training for training in both.trainings if training.is_confirming]
    assert [trial.training for trial in searched] == alone.trainings
    assert both.settled == alone.settled
    assert both.trainings == [*alone.trainings, *further]
    shared = [part for part in components(both.settled.tree) if len(part.tasks) > 1]
    models = Counter([*shared, *(BranchTree.flat(task, 8, 8) for part in shared for task in part.tasks)])
    assert Counter(training.tree for training in further) == Counter(dict.fromkeys(models, seeds))
    before, after = evidence_of(spec, alone), evidence_of(confirming, both)
    assert matrix_of(after, False).cells == matrix_of(before, False).cells
    assert after.facts.trained == before.facts.trained
    assert seed_noise(after) == seed_noise(before)
    half = [*alone.trials, *both.trials[len(alone.trials) :: 2]]
    assert simulate(confirming, replace(world, spread=0.01), known=half).settled == both.settled


def test_trainings_that_confirm_are_no_part_of_the_budget() -> None:
    cells = {("a", "b", 8): 0.0, ("a", "c", 8): 0.0, ("b", "c", 8): 0.0}
    world = World(cells, worst_tree=0.0)
    for budget in ({}, {"trials": 8}, {"trials": 3}):
        specs = [make_spec(3, depths=[8], budget=budget, confirm=seeds) for seeds in (0, 2)]
        alone, both = (simulate(spec, world) for spec in specs)
        assert both.settled == alone.settled
        further = 2 * 4 if alone.settled.tree.is_shared else 0
        assert len(both.trials) == len(alone.trials) + further


@settings(max_examples=60, deadline=None)
@given(worlds(), st.sampled_from(OF_PAIRS), st.integers(1, 3), st.integers(0, 2))
def test_a_plan_bounds_what_is_trained(
    case: tuple[int, dict[str, Any], World], strategy: str, repeats: int, confirm: int
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, strategy=strategy, repeats=repeats, confirm=confirm, **more)
    least, most = plan_trials(spec)
    assert least <= len(simulate(spec, world).trials) <= most


@pytest.mark.parametrize("tasks", [1, 2, 3, 4])
@pytest.mark.parametrize("depths", [(4, 6, 8), (8,)])
@pytest.mark.parametrize("strategy", OF_PAIRS)
def test_some_study_takes_no_more_than_the_least_that_is_planned(
    tasks: int, depths: tuple[int, ...], strategy: str
) -> None:
    spec = make_spec(tasks, strategy=strategy, depths=depths)
    taken = {
        len(simulate(spec, World(elsewhere=ar, worst_tree=0.0, threshold=at)).trials)
        for ar in (0.0, 0.5)
        for at in (0.02, -1.0)  # where no probe ends before its last step, none is trained again
    }
    assert min(taken) == plan_trials(spec)[0]
    if tasks < 3 and strategy != "bisection":  # which takes most where only the middle depth is kept
        assert max(taken) <= plan_trials(spec)[1] <= max(taken) + (strategy == "adaptive")


@settings(max_examples=20, deadline=None)
@given(worlds(largest=4, spread=0.03), st.integers(1, 4), st.randoms(use_true_random=False))
def test_repeats_and_confident_decisions_end_and_keep_the_upper_end(
    case: tuple[int, dict[str, Any], World], workers: int, order: random.Random
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, repeats=3, decision="confident", ar_threshold=0.1, **more)
    run = simulate(spec, world, workers, order)
    assert evidence_of(spec, run).interval(run.settled.tree)[1] <= spec.ar_threshold
    assert Counter(run.trainings) == Counter(simulate(spec, world).trainings)
    assert all(count == 3 for count in Counter(training.tree for training in run.trainings).values())


def test_one_task_is_its_baseline() -> None:
    run = simulate(make_spec(1), World())
    assert [training.tree for training in run.trainings] == [run.settled.tree]
    assert run.stages == [Stage.BASELINES, Stage.BASELINES]
    assert run.settled == Settled(BranchTree.flat("a", 8, 8))


def test_two_tasks_end_with_a_pair_that_is_trained_to_its_end() -> None:
    cells = {("a", "b", depth): ar for depth, ar in [(8, 0.3), (7, 0.02), (6, 0.0), (5, 0.3), (4, 0.0)]}
    run = simulate(make_spec(2), World(cells))
    assert [(training.shared, training.is_probe) for training in run.trainings[2:]] == [
        (8, True),
        (7, True),
        (7, False),
    ]
    assert run.settled == Settled(BranchTree.flat("ab", 7, 8))


def test_where_nothing_fits_the_models_stay_independent() -> None:
    run = simulate(make_spec(4), World(elsewhere=0.5))
    assert run.settled == Settled(BranchTree.flat("abcd", 0, 8))
    assert len(run.trials) == 4 + 6 * 5


def test_a_tree_that_never_keeps_the_threshold_is_repaired_down_to_nothing() -> None:
    run = simulate(make_spec(3, depths=[8]), World(elsewhere=0.0, worst_tree=0.9, seed=3))
    shared = [training.shared for training in run.trainings if len(training.tasks) == 3]
    assert shared == sorted(shared, reverse=True)
    assert evidence_of(make_spec(3), run).ar(run.settled.tree) <= 0.02
    assert "was repaired" in (run.settled.reason or "")


def test_verification_waits_for_every_pair() -> None:
    run = simulate(make_spec(4), World(elsewhere=0.0, worst_tree=0.0), workers=4)
    first = run.stages.index(Stage.VERIFICATION)
    assert set(run.stages[first:]) == {Stage.VERIFICATION}
    assert run.settled.tree == BranchTree.flat("abcd", 8, 8)


def test_pairs_start_as_soon_as_their_baselines_are_known() -> None:
    spec = make_spec(3)
    known = [finished(Training(BranchTree.flat(t, 8, 8)), measurement({t: 0.8})) for t in "ab"]
    decision = decide(spec, Evidence(spec, known), Spent())
    assert isinstance(decision, Ask)
    assert decision.stage is Stage.BASELINES
    assert [training.tasks for training in decision.trainings] == [("c",), ("a", "b")]
    assert decision.at_least == 1 + 3 + 1


def test_a_budget_that_only_has_room_for_baselines_starts_no_pair_beside_them() -> None:
    run = simulate(make_spec(3, budget={"trials": 3}), World(elsewhere=0.0), workers=4)
    assert [len(training.tasks) for training in run.trainings] == [1, 1, 1]
    assert run.settled.tree == BranchTree.flat("abc", 0, 8)
    assert "the budget ended before all questions were answered" in (run.settled.reason or "")


def test_a_budget_without_room_for_the_whole_verification_starts_none_of_it() -> None:
    """{a,b,c} and {d,e,f} are two trainings; one trial is left for them."""
    names = "abcdef"
    groups = {(*pair, 8): 0.0 for group in ("abc", "def") for pair in combinations(group, 2)}
    spec = make_spec(names, depths=[8], budget={"trials": 6 + 15 + 1})
    run = simulate(spec, World(groups, worst_tree=0.0))
    assert len(run.trials) == 6 + 15
    assert [part.tasks for part in components(run.settled.tree)] == [("a", "b"), ("c",), ("d", "e"), ("f",)]
    assert "only what kept the threshold when trained together is shared" in (run.settled.reason or "")


@pytest.mark.parametrize("ends_after", [0, 2, 4, 7, 9])
def test_when_the_time_is_up_what_is_under_way_is_the_last(ends_after: int) -> None:
    spec = make_spec(4, budget={"seconds": 100})
    world = World(elsewhere=0.0, worst_tree=0.0)
    run = simulate(spec, world, workers=2, seconds=lambda count: 200.0 if count >= ends_after else 1.0)
    assert len(run.trials) <= max(4, ends_after + 1)
    assert "the budget ended" in (run.settled.reason or "")


def test_a_training_that_failed_fails_the_study_with_its_reason() -> None:
    spec = make_spec(2)
    failed = Trial(0, Training(BranchTree.flat("a", 8, 8)), 0, TrialState.FAILED, error="the loss is nan")
    with pytest.raises(TrainingFailed, match=r"training a sharing 8 blocks failed: the loss is nan"):
        decide(spec, Evidence(spec, [failed]), Spent())


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_groups_end_with_a_tree_that_keeps_the_threshold_whoever_works_and_however_often_they_stop(
    case: tuple[int, dict[str, Any], World], workers: int, order: random.Random
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, strategy="groups", **more)
    alone, many = simulate(spec, world), simulate(spec, world, workers, order)
    resumed = simulate(spec, world, known=many.trials[: order.randrange(len(many.trials) + 1)])
    assert many.settled == alone.settled == resumed.settled
    assert evidence_of(spec, alone).ar(alone.settled.tree) <= spec.ar_threshold
    least, most = plan_trials(spec)
    assert least <= len(alone.trials) <= most


@settings(max_examples=40, deadline=None)
@given(worlds(), st.integers(0, 10))
def test_groups_within_a_budget_end_with_the_best_that_was_trained(
    case: tuple[int, dict[str, Any], World], spare: int
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, strategy="groups", budget={"trials": tasks + spare}, **more)
    run = simulate(spec, world)
    evidence = evidence_of(spec, run)
    assert len(run.trials) <= tasks + spare
    assert evidence.ar(run.settled.tree) <= spec.ar_threshold
    if "the budget ended" in (run.settled.reason or ""):
        kept = evidence.kept_trees()
        assert run.settled.tree.is_shared is bool(kept)
        assert all(part in kept for part in components(run.settled.tree) if len(part.tasks) > 1)


def test_a_group_that_keeps_the_threshold_answers_for_its_pairs() -> None:
    spec = make_spec(4, strategy="groups")
    run = simulate(spec, World(worst_tree=0.0, seed=1))
    assert [(training.tasks, training.is_probe) for training in run.trainings[4:]] == [
        (("a", "b", "c", "d"), True),
        (("a", "b", "c", "d"), False),
    ]
    evidence = evidence_of(spec, run)
    cells = {pair: dict(by_depth) for pair, by_depth in matrix_of(evidence).cells.items()}
    assert set(cells) == set(combinations("abcd", 2))
    assert all(set(by_depth) == {8} and by_depth[8].is_bound for by_depth in cells.values())
    assert matrix_of(evidence, False).compatibility(0.02).number_of_edges() == 6


def test_a_probe_that_was_accepted_is_shown_as_a_bound_and_trained_to_its_end_where_it_is_delivered() -> None:
    cells = {("a", "b", 8): 0.01, ("a", "c", 8): 0.5, ("b", "c", 8): 0.5}
    spec = make_spec(3, depths=[8])
    run = simulate(spec, World(cells))
    assert Counter(run.trainings)[Training(BranchTree.flat("ab", 8, 8))] == 1
    evidence = evidence_of(spec, run)
    found = matrix_of(evidence)
    whole = found.cell("a", "b", 8)
    assert whole
    assert not whole.is_bound
    before = Evidence(
        spec, [trial for trial in run.trials if trial.training.is_probe or len(trial.training.tasks) == 1]
    )
    cell = matrix_of(before).cell("a", "b", 8)
    assert cell
    assert (cell.is_bound, cell.low) == (True, 0)


def test_a_task_that_is_no_better_than_chance_is_kept_apart_and_named() -> None:
    """The most frequent of five classes is right for 20 of 100 clips; so is the baseline of b."""
    spec = make_spec(3, strategy="adaptive")
    world = World(elsewhere=0.0, worst_tree=0.0)
    baselines = [
        finished(Training(BranchTree.flat(t, 8, 8)), measurement({t: 0.2 if t == "b" else 0.8})) for t in "abc"
    ]
    for strategy in (*OF_PAIRS, "groups"):
        run = simulate(make_spec(3, strategy=strategy), world, known=baselines)
        assert [part.tasks for part in components(run.settled.tree)] == [("a", "c"), ("b",)]
        assert not any("b" in training.tasks and len(training.tasks) > 1 for training in run.trainings)
        assert "the baseline of b is no better than chance" in (run.settled.reason or "")
    assert Evidence(spec, baselines).is_at_chance("b")
