"""Strategy `trees`: what follows from the answers, which trees are tried, and that nothing else changes them."""

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import matrix_of
from taskgraft.search.evidence.trees import components
from taskgraft.search.strategies.plan import plan_trials
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.strategies.tree_moves import Moves
from taskgraft.search.strategies.tree_search import Aim, Answer, most_trainings
from taskgraft.search.study.trial import Training
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.search.worlds import World, finished, make_spec, simulate

DEPTHS = (4, 6, 8)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[int, World]:
    """A number of tasks, and what every training of theirs would measure."""
    tasks, chance = draw(st.integers(2, 6)), draw(st.randoms(use_true_random=False))
    cells = {
        (*pair, depth): chance.choice([0.0, 0.005, 0.019, 0.05, 0.3])
        for pair in combinations("abcdef"[:tasks], 2)
        for depth in DEPTHS
    }
    return tasks, World(cells, seed=draw(st.integers(0, 99)), worst_tree=draw(st.sampled_from([0.0, 0.03, 0.06])))


@settings(max_examples=40, deadline=None)
@given(worlds(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_what_is_delivered_was_trained_and_accepted_as_it_is(
    case: tuple[int, World], workers: int, order: random.Random
) -> None:
    tasks, world = case
    spec = make_spec(tasks, strategy="trees", depths=list(DEPTHS))
    run, many = simulate(spec, world), simulate(spec, world, workers, order)
    evidence = Evidence(spec, run.trials)
    asked = {training.tree for training in run.trainings}
    assert set(components(run.settled.tree)) <= asked
    assert evidence.meets_threshold(run.settled.tree)
    assert many.settled == run.settled
    assert max(Counter(run.trainings).values()) == 1
    assert len(run.trainings) <= min(tasks + most_trainings(tasks), plan_trials(spec)[1])


@settings(max_examples=40, deadline=None)
@given(worlds(), st.data())
def test_neither_a_break_nor_a_training_that_was_not_asked_for_changes_the_result(
    case: tuple[int, World], data: st.DataObject
) -> None:
    tasks, world = case
    spec = make_spec(tasks, strategy="trees", depths=list(DEPTHS))
    whole = simulate(spec, world)
    cut = data.draw(st.integers(0, len(whole.trials)))
    assert simulate(spec, world, known=whole.trials[:cut]).settled == whole.settled
    more = Training(BranchTree.flat(spec.task_names[-2:], data.draw(st.sampled_from(DEPTHS)), 8))
    known = [*whole.trials[:tasks], finished(more, world.measure(more), tasks)]
    again = simulate(spec, world, known=known)
    asked = [training for training in again.trainings if training != more]
    assert [training for training in whole.trainings if training != more] == asked
    assert again.settled == whole.settled


def test_all_tasks_are_trained_together_first_and_delivered_if_none_loses() -> None:
    run = simulate(make_spec(4, strategy="trees"), World(worst_tree=0.0, seed=1))
    joint = BranchTree.flat("abcd", 8, 8)
    assert [training.tree for training in run.trainings[4:]] == [joint]
    assert run.settled == Settled(joint)


def answer(node_tasks: tuple[str, ...], lost: dict[str, float]) -> Answer:
    losses = tuple(lost.get(task, 0.0) for task in node_tasks)
    return Answer(losses, frozenset(task for task in node_tasks if lost.get(task, 0.0) > 0.02))


def test_with_one_depth_the_tasks_that_lose_leave_together() -> None:
    state = Aim(tuple("abcde"), (8,), get_template("cnn8"), 0.02).start()
    assert state.question is not None
    state = state.after(answer(state.question.tasks, {"b": 0.05, "d": 0.04}))
    waiting = {node.tasks for node in state.waiting}
    assert waiting == {("a", "c", "e"), ("b", "d")}


def test_a_task_that_disturbs_all_others_is_left_apart() -> None:
    """Whoever shares anything with e loses 6 %; all others fit."""
    state, trained = Aim(tuple("abcdef"), DEPTHS, get_template("cnn8"), 0.02).start(), 0
    while (node := state.question) is not None:
        lost = dict.fromkeys(node.tasks, 0.06) if "e" in node.tasks else {}
        state, trained = state.after(answer(node.tasks, lost)), trained + 1
    assert ("e",) in {node.tasks for node in state.kept}
    assert len(state.kept) < 6
    assert trained <= 12


def test_a_joint_depth_is_found_if_only_deeper_sharing_hurts() -> None:
    """All tasks fit up to block 6, and none does beyond."""
    state = Aim(tuple("abcd"), DEPTHS, get_template("cnn8"), 0.02).start()
    while (node := state.question) is not None:
        deep = {task for inner in node.walk() if not inner.is_leaf and inner.blocks[1] > 6 for task in inner.tasks}
        state = state.after(answer(node.tasks, dict.fromkeys(deep, 0.06)))
    (found,) = state.kept
    assert BranchTree(found, 8) == BranchTree.flat("abcd", 6, 8)


@given(st.lists(st.sets(st.sampled_from("abcdef")), min_size=1, max_size=4))
def test_peeling_and_linkage_give_legal_forests_of_the_same_tasks(rounds: list[set[str]]) -> None:
    moves = Moves({task: place for place, task in enumerate("abcdef")}, DEPTHS, 8)
    forest = [moves.flat("abcdef", 0, 8)]
    for losers in rounds:
        forest = [part for node in forest for part in moves.peeled(node, frozenset(losers))]
        assert sorted(task for node in forest for task in BranchTree(node, 8).tasks) == list("abcdef")


def test_what_a_tree_says_of_a_pair_is_a_bound_of_what_its_two_tasks_lost() -> None:
    spec, world = make_spec(4, strategy="trees"), World(worst_tree=0.06, seed=3)
    run = simulate(spec, world)
    evidence = Evidence(spec, run.trials[:5])
    joint = run.trainings[4].tree
    lost = evidence.reductions(joint)
    matrix = matrix_of(evidence)
    for pair in combinations(spec.task_names, 2):
        cell = matrix.cell(*pair, 8)
        assert cell is not None
        assert cell.is_bound
        assert cell.ar == pytest.approx(max(0.0, *(lost[task] for task in pair)))


def test_a_part_that_only_just_keeps_the_threshold_is_undecided_and_not_accepted() -> None:
    spec = make_spec(10, strategy="trees", depths=[8])
    pair = Training(BranchTree.flat("ab", 8, 8))
    for lost, accepted in ((0.0199, False), (0.0, True), (0.05, False)):
        world = World({("a", "b", 8): lost})
        baselines = [Training(BranchTree.flat(task, 8, 8)) for task in spec.task_names]
        evidence = Evidence(spec, [finished(training, world.measure(training)) for training in [*baselines, pair]])
        assert evidence.meets_threshold(pair.tree) is accepted
        assert evidence.undecided() == ((pair.tree,) if lost == 0.0199 else ())


@pytest.mark.parametrize(
    ("tasks", "more", "words"),
    [
        (1, {}, ["takes 2 tasks or more", "has 1", "adaptive"]),
        (3, {"depths": [9]}, ["cnn8 has 8 blocks", "from 1 to 8", "got [9]"]),
        (3, {"budget": {"trials": 3}}, ["4 would do", "got 3"]),
        (3, {"synthesis": "exact"}, ["puts the tree together while it asks"]),
    ],
)
def test_what_trees_cannot_do_is_refused_with_what_would_do(
    tasks: int, more: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        make_spec(tasks, strategy="trees", **more)
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_the_smallest_budget_trains_one_tree() -> None:
    spec = make_spec(3, strategy="trees", budget={"trials": 4})
    evidence, world = Evidence(spec), World(worst_tree=0.0)
    while isinstance(decision := decide(spec, evidence, Spent()), Ask):
        training = decision.trainings[0]
        evidence.add(finished(training, world.measure(training), evidence.facts.count))
    assert decision.tree == BranchTree.flat("abc", 8, 8)
