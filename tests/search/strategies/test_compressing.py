"""Studies that make their tree smaller: which rounds are trained, in which order, and what becomes of a failure."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.pruned import all_rounds
from taskgraft.search.evidence.trees import components
from taskgraft.search.running.agenda import SearchAgenda
from taskgraft.search.strategies.compressing import compressed_parts
from taskgraft.search.strategies.compression_effort import compressing_trainings
from taskgraft.search.strategies.plan import plan_trials
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study.compression_spec import check_sizes
from taskgraft.search.study.pruning import Pruned
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training
from taskgraft.space.cost import tree_cost
from taskgraft.space.pruning import fixed_parameters
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.tree import BranchTree
from tests.search.branches import branch_trees
from tests.search.compressed import Searched, at_full_length, plain, search, tasks_of
from tests.search.worlds import World, make_spec

NAMES = ("lth", "lt4rec", "prune")
EASY = World(elsewhere=0.0, worst_tree=0.0)
"""Everything keeps the threshold."""
HARD = World(elsewhere=0.5)
"""Nothing can be shared."""
PAIRS = World({("a", "b", depth): 0.0 for depth in range(9)}, elsewhere=0.5)
"""Only a and b can share."""
STUDIES: tuple[dict[str, Any], ...] = (
    {},
    {"strategy": "exhaustive"},
    {"strategy": "groups"},
    {"strategy": "trees"},
    {"repeats": 2},
    {"repeats": "auto", "depths": [8]},
    {"confirm": 1},
    {"confirm": 1, "strategy": "groups"},
)


def world_of(seed: int) -> World:
    """Return a world in which some pairs can share, and some trees."""
    chance = random.Random(seed)
    cells = {(*pair, depth): chance.choice([0.0, 0.5]) for pair in combinations("abc", 2) for depth in (4, 6, 8)}
    return World(cells, seed=seed)


def spec_of(compression: object, **more: Any) -> StudySpec:
    return make_spec(3, **{"compression": compression, "depths": [4, 6, 8], **more})


def last_rounds(found: Searched) -> tuple[Training, ...]:
    assert found.settled
    spec = found.evidence.spec
    return compressed_parts(spec, found.evidence, found.settled.tree, tasks_of(spec))


@pytest.mark.parametrize("place", range(len(STUDIES)))
@pytest.mark.parametrize("workers", [1, 3])
def test_the_search_is_as_without_and_then_come_all_rounds(place: int, workers: int) -> None:
    """The order of workers, and the place at which a study was interrupted, make no difference."""
    fields, name, seed = STUDIES[place], NAMES[(place + workers) % 3], place % 4
    world = world_of(seed)
    spec = spec_of(name, **fields)
    found = search(spec, world, workers, random.Random(seed))
    without = search(plain(spec), world)
    assert found.settled == without.settled
    if workers == 1:
        assert found.searched == without.searched
    needed = dict.fromkeys(one for last in last_rounds(found) for one in all_rounds(last))
    assert set(found.rounds) == {one for one in needed if one.pruning}
    assert {one for one in needed if not one.pruning} <= set(found.searched), "they go on from what is known"
    first = next((place for place, trial in enumerate(found.trials) if trial.training.pruning), None)
    assert first is not None
    assert all(trial.training.pruning for trial in found.trials[first:])
    fewest, most = compressing_trainings(spec, tasks_of(spec))
    assert fewest <= len(found.rounds) <= most
    if workers == 1:
        asked = len(without.counts)
        assert found.counts[:asked] == [(done, low + fewest, high + most) for done, low, high in without.counts]
    for done, least, at_most in found.counts:
        if done >= first:
            assert done + least == done + at_most == len(found.trials)
    cut = random.Random(seed).randrange(len(found.trials) + 1)
    resumed = search(spec, world, known=found.trials[:cut])
    assert resumed.settled == found.settled
    assert set(resumed.rounds) == set(found.rounds)
    assert last_rounds(resumed) == last_rounds(found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("world", "parts"), [(EASY, [("a", "b", "c")]), (PAIRS, [("a", "b"), ("c",)]), (HARD, [("a",), ("b",), ("c",)])]
)
def test_every_part_of_the_tree_is_made_smaller(name: str, world: World, parts: list[tuple[str, ...]]) -> None:
    spec = spec_of(name)
    found, tasks = search(spec, world), tasks_of(spec)
    last = last_rounds(found)
    assert [one.tasks for one in last] == parts
    assert found.settled
    for one, part in zip(last, components(found.settled.tree), strict=True):
        assert one.pruning
        whole = tree_cost(part, spec.encoder, tasks).parameters or 0
        if one.pruning.form is Pruned.CHANNELS:
            assert one.pruning.keep == round(0.5 * whole)
        else:
            assert one.pruning.keep + fixed_parameters(one.tree, spec.encoder, tasks) == round(0.5 * whole)
        is_shared = name == "lt4rec" and len(part.tasks) > 1
        assert one.tree == (BranchTree.flat(part.tasks, 0, 8) if is_shared else part)
        assert (one.pruning.form is Pruned.SHARED) is is_shared


def test_parts_are_made_smaller_side_by_side() -> None:
    spec = spec_of("lth")
    agenda, found = SearchAgenda(spec, tasks_of(spec)), search(spec, HARD)
    before = [trial for trial in found.trials if not trial.training.pruning]
    evidence = Evidence(spec, before)
    first = agenda.decide(evidence, Spent())
    assert isinstance(first, Ask)
    assert first.stage is Stage.COMPRESSION
    assert [one.tasks for one in first.trainings] == [("a",), ("b",), ("c",)]
    left = agenda.left(evidence, first)
    assert (left.at_most, left.longest, left.questions) == (12, 4, (12, 12)), "four rounds of each task"
    evidence.add(found.trials[len(before)])
    second = agenda.decide(evidence, Spent())
    assert isinstance(second, Ask)
    assert (len(second.trainings), second.at_least) == (3, 11), "the next round of the first, the first of the others"


def test_tasks_that_share_weights_wait_for_all_of_them() -> None:
    spec = spec_of("lt4rec")
    found = search(spec, EASY, workers=3, order=random.Random(4))
    last = found.rounds[-1]
    assert last.pruning
    assert last.pruning.form is Pruned.SHARED
    alone = len(last.pruning.keeps) - 1
    assert len(found.rounds) == 3 * alone + 1
    agenda, evidence = SearchAgenda(spec, tasks_of(spec)), Evidence(spec, found.trials[: len(found.searched)])
    first = agenda.decide(evidence, Spent())
    assert isinstance(first, Ask)
    left = agenda.left(evidence, first)
    assert (left.at_most, left.longest) == (3 * alone + 1, alone + 1)


def of_round(*, tasks: tuple[str, ...], number: int) -> Callable[[Training], bool]:
    return lambda one: one.pruning is not None and one.tasks == tasks and len(one.pruning.keeps) == number


@pytest.mark.parametrize("workers", [1, 3])
def test_a_failed_round_ends_it_and_what_is_under_way_is_waited_for(workers: int) -> None:
    spec = spec_of("lth")
    found = search(spec, HARD, workers, random.Random(1), fails=of_round(tasks=("b",), number=2))
    assert found.settled == search(plain(spec), HARD).settled
    assert len(found.rounds) < 12
    assert sum(one.tasks == ("b",) for one in found.rounds) == 2
    again = search(spec, HARD, known=found.trials)
    assert (again.settled, again.trials) == (found.settled, found.trials), "it is not tried again"


def test_a_failed_mask_of_a_task_ends_it_for_all() -> None:
    found = search(spec_of("lt4rec"), EASY, fails=of_round(tasks=("c",), number=1))
    assert found.settled == search(plain(spec_of("lt4rec")), EASY).settled
    assert all(one.pruning and one.pruning.form is Pruned.WEIGHTS for one in found.rounds)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trials", [3, 5, 7])
def test_a_budget_does_not_count_rounds(name: str, trials: int) -> None:
    spec = spec_of(name, budget={"trials": trials}, strategy="groups")
    found, without = search(spec, EASY), search(plain(spec), EASY)
    assert found.settled == without.settled
    assert found.searched == without.searched
    assert len(found.searched) <= trials
    assert found.rounds
    assert found.evidence.facts.trained == len(found.searched)
    failed = search(spec, EASY, fails=lambda one: one.pruning is not None)
    assert failed.settled == without.settled
    assert failed.evidence.facts.trained == len(failed.searched)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ends_early", [True, False])
def test_a_probe_that_is_delivered_is_gone_on_from(name: str, ends_early: bool) -> None:
    """The budget ends before it is trained in full, or it took all its steps: no baseline is trained again for it."""
    fields: dict[str, Any] = {"budget": {"trials": 4}} if ends_early else {}
    spec = spec_of(name, strategy="groups", **fields)
    found = search(spec, EASY, measure=None if ends_early else at_full_length(EASY))
    assert found.settled
    (probe,) = [one for one in found.searched if len(one.tasks) > 1]
    assert probe.is_probe
    assert found.evidence.best_repeat(found.settled.tree) == probe
    assert found.settled.tree.is_shared
    assert len(found.searched) == 4, "no baseline is trained again"
    (last,) = last_rounds(found)
    assert last.is_probe is (name != "lt4rec")


def test_the_best_repeat_is_made_smaller() -> None:
    spec = spec_of("lth", repeats=3, ar_threshold=0.2)
    found = search(spec, World(elsewhere=0.0, worst_tree=0.0, spread=0.05, seed=3))
    assert found.settled
    for part, last in zip(components(found.settled.tree), last_rounds(found), strict=True):
        assert last.repeat == found.evidence.best_repeat(part).repeat
    shared = search(spec_of("lt4rec", repeats=3, ar_threshold=0.2), World(elsewhere=0.0, worst_tree=0.0, spread=0.05))
    assert {one.repeat for one in shared.rounds if len(last_rounds(shared)) == 1} <= {0}


def test_a_length_that_is_chosen_holds_for_rounds() -> None:
    spec = make_spec(3, compression="lt4rec", depths=[8], training={"epochs": "auto"})
    found = search(spec, World(elsewhere=0.0, worst_tree=0.0, enough=20))
    assert found.rounds
    assert {one.epochs for one in found.rounds} == {found.evidence.epochs}


def test_channels_are_pruned_of_what_began_with_a_trunk() -> None:
    spec = spec_of("prune", training={"epochs": 20, "start": "trunk"})
    found = search(spec, EASY)
    assert [one.tasks for one in found.rounds] == [("a", "b", "c")]
    assert sum(one.is_trunk for one in found.searched) == 1


def test_without_steps_that_prune_nothing_is_asked_beside_the_search() -> None:
    for steps in (["int8"], list[str]()):
        spec = make_spec(3, compression=steps)
        agenda, bare = SearchAgenda(spec, tasks_of(spec)), SearchAgenda(spec)
        assert compressing_trainings(spec, tasks_of(spec)) == (0, 0)
        evidence = Evidence(spec)
        decision = agenda.decide(evidence, Spent())
        assert decision == bare.decide(evidence, Spent()) == decide(spec, evidence, Spent())
        assert isinstance(decision, Ask)
        assert agenda.left(evidence, decision) == bare.left(evidence, decision)
        assert not search(spec, EASY).rounds


@given(
    tree=branch_trees(6),
    size=st.floats(0.05, 0.95),
    name=st.sampled_from(NAMES),
    classes=st.lists(st.sampled_from([2, 5, 40]), min_size=6, max_size=6),
)
@settings(deadline=None, max_examples=60)
def test_the_count_of_a_plan_holds_for_every_tree(tree: BranchTree, size: float, name: str, classes: list[int]) -> None:
    spec = make_spec(len(tree.tasks), compression={"name": name, "size": size})
    tasks = tuple(Task(one, TaskKind.CLIP, count) for one, count in zip(tree.tasks, classes, strict=False))
    try:
        check_sizes(spec.compression, spec.encoder, tasks)
    except InvalidInput:
        return
    (step,) = spec.compression
    count = 0
    for part in components(tree):
        made = step.pruning(part, spec.encoder, tasks)
        assert made
        count += sum(one.pruning is not None for one in all_rounds(Training(made[0], pruning=made[1])))
    fewest, most = compressing_trainings(spec, tasks)
    assert fewest <= count <= most


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_study_is_within_its_plan(name: str) -> None:
    spec = spec_of(name)
    fewest, most = compressing_trainings(spec, tasks_of(spec))
    least, greatest = plan_trials(plain(spec))
    for world in (EASY, PAIRS, HARD, replace(PAIRS, seed=5)):
        found = search(spec, world)
        assert isinstance(found.settled, Settled)
        assert least + fewest <= len(found.trials) <= greatest + most
