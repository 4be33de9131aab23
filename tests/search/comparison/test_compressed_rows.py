"""Rows of compression: which networks they train, in which order, how large they are, and why some have none."""

import random
from dataclasses import replace
from typing import Any

import pytest

from taskgraft.search.comparison.decisions import comparison_left, decide_comparison, refusals, system_states
from taskgraft.search.comparison.protocol import Known, Part
from taskgraft.search.comparison.registry import words_of
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.pruned import all_rounds
from taskgraft.search.strategies.strategy import Ask, Spent
from taskgraft.search.study.comparison import Comparison, comparison_spec
from taskgraft.search.study.pruning import Pruned, Pruning
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.imported import BlockSize, ImportedEncoder
from taskgraft.space.pruning import fixed_parameters, kernel_weights
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.templates.registry import resized
from taskgraft.space.tree import BranchTree
from tests.search.comparison.driving import NESTED, ComparedWorld, compared, drive
from tests.search.worlds import make_spec

ROWS = ("lth", "lt4rec", "tree-distil", "tree-prune", "tree-int8")
FOREST = BranchTree.from_json(
    {
        "tasks": ["a", "b", "c", "d"],
        "blocks": [0, 0],
        "children": [BranchTree.flat(tasks, 8, 8).to_json() for tasks in ("ab", "c", "d")],
    },
    8,
)


def known(spec: StudySpec, comparison: Comparison) -> Known:
    return Known(comparison, Evidence(comparison_spec(spec)))


def parts_of(spec: StudySpec, comparison: Comparison) -> dict[str, tuple[Part, ...]]:
    states = system_states(known(spec, comparison))
    return {model.name: model.parts for state in states if not state.refusal for model in state.models}


def reasons(spec: StudySpec, comparison: Comparison) -> dict[str, str]:
    return {refusal.system: refusal.reason for refusal in refusals(system_states(known(spec, comparison)))}


def parameters(comparison: Comparison, spec: StudySpec) -> int:
    assert comparison.tree
    return tree_cost(comparison.tree, spec.encoder, comparison.tasks).parameters or 0


def test_rows_have_a_word_each_and_one_together() -> None:
    words = words_of(make_spec(4))
    assert words[words.index("compression") :][: 1 + len(ROWS)] == ("compression", *ROWS)
    assert tuple(parts_of(make_spec(4), compared(4, ["compression"]))) == ROWS


@pytest.mark.parametrize("tree", [NESTED, FOREST, BranchTree.flat("abcd", 8, 8), BranchTree.flat("abcd", 0, 8)])
@pytest.mark.parametrize("classes", [2, 10])
def test_pruned_networks_have_the_parameters_of_the_tree_to_the_number(tree: BranchTree, classes: int) -> None:
    tasks = tuple(Task(name, TaskKind.CLIP, classes) for name in "abcd")
    spec, comparison = make_spec(4), replace(compared(4, ["lth", "lt4rec"]), tree=tree, tasks=tasks)
    found = parts_of(spec, comparison)
    assert set(found) == {"lth", "lt4rec"}
    for name, (part,) in found.items():
        training = part.training
        assert training.pruning
        assert training.pruning.width
        assert training.tree == BranchTree.flat("abcd", 8 if name == "lth" else 0, 8)
        template = resized(spec.encoder, training.pruning.width)
        flat = tree_cost(BranchTree.flat("abcd", 8, 8), template, tasks).parameters or 0
        assert flat >= independent_parameters(spec.encoder, tasks)
        thinner = resized(spec.encoder, round(training.pruning.width - 0.01, 2))
        less = tree_cost(BranchTree.flat("abcd", 8, 8), thinner, tasks).parameters or 0
        assert less < independent_parameters(spec.encoder, tasks)
        fixed = fixed_parameters(training.tree, template, tasks)
        assert training.pruning.keep + fixed == parameters(comparison, spec)
        keeps = training.pruning.keeps if name == "lth" else training.pruning.keeps[:-1]
        assert keeps[0] >= int(0.8 * kernel_weights(BranchTree.flat("abcd", 8, 8), template))
        assert keeps[-1] == training.pruning.keep


def test_every_part_of_the_tree_has_a_smaller_form() -> None:
    spec, comparison = make_spec(4), replace(compared(4, ROWS), tree=FOREST)
    found = parts_of(spec, comparison)
    parts = [("a", "b"), ("c",), ("d",)]
    for name in ("tree-distil", "tree-prune", "tree-int8"):
        assert [part.answers for part in found[name]] == parts
    assert [bool(part.training.recipe) for part in found["tree-distil"]] == [True, False, False]
    assert all(part.is_quantised and not part.training.is_variant for part in found["tree-int8"])
    for part in found["tree-prune"]:
        size = tree_cost(part.training.tree, spec.encoder, comparison.tasks).parameters or 0
        assert part.training.pruning == Pruning(Pruned.CHANNELS, (round(size / 2),))


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("workers", [1, 4])
def test_rounds_are_trained_in_order_once_and_resumed(seeds: int, workers: int) -> None:
    spec, comparison = make_spec(4), compared(4, ["compression"], seeds)
    whole = drive(comparison, spec, workers=workers, order=random.Random(2))
    done = [trial.training for trial in whole.trials]
    wanted = {part.training for parts in parts_of(spec, comparison).values() for part in parts}
    needed = {one for last in wanted for seed in range(seeds) for one in all_rounds(replace(last, repeat=seed))}
    assert {one for one in done if one.pruning} == {one for one in needed if one.pruning}
    for place, one in enumerate(done):
        assert set(all_rounds(one)[:-1]) <= set(done[:place])
    resumed = drive(comparison, spec, before=whole.trials[: len(done) // 2])
    assert {trial.training for trial in resumed.trials} == set(done)


def test_what_is_left_counts_rounds_one_after_the_other() -> None:
    spec, comparison = make_spec(4), compared(4, ["lth"])
    bare = known(spec, comparison)
    decision = decide_comparison(bare, Spent())
    assert isinstance(decision, Ask)
    last = parts_of(spec, comparison)["lth"][0].training
    left = comparison_left(bare, decision)
    assert left.longest == len(all_rounds(last))
    assert left.at_most == decision.at_least == 4 + len(all_rounds(last))


def test_a_failed_round_costs_its_row_only() -> None:
    spec, comparison = make_spec(4), compared(4, ["compression"])
    last = parts_of(spec, comparison)["lth"][0].training
    world = ComparedWorld(failing=frozenset({all_rounds(last)[1]}))
    found = drive(comparison, spec, world)
    assert [refusal.system for refusal in refusals(system_states(found.known))] == ["lth"]
    assert last not in [trial.training for trial in found.trials]


def own_encoder() -> dict[str, Any]:
    sizes = (BlockSize((1, 64, 100), (4, 32, 50), 44, 57_600, stride=2, offset=1),)
    return {"template": "mine:make", "imported": ImportedEncoder("mine:make", "default", "d", "w", sizes)}


@pytest.mark.parametrize(
    ("fields", "changes", "refused"),
    [
        ({}, {}, {}),
        ({"training": {"epochs": 9, "start": "trunk"}}, {}, {"lth": "start from a trunk", "lt4rec": "from a trunk"}),
        ({"training": {"epochs": 9, "algorithm": "distil"}}, {}, {"tree-distil": "has teachers"}),
        (
            {"template": "cp-mobile"},
            {"tree": BranchTree.flat("abcd", 7, 7)},
            {"tree-prune": "no channels can be"},
        ),
        (
            {"template": "cnn-bilstm", "depths": [5]},
            {"tree": BranchTree.flat("abcd", 5, 5)},
            {"tree-prune": "one channel per convolution leaves 2,1"},
        ),
        ({}, {"tree": BranchTree.flat("abcd", 0, 8)}, {"tree-distil": "found nothing to share"}),
        (
            own_encoder(),
            {"tree": BranchTree.flat("abcd", 1, 1)},
            {"lth": "of your own can't be pruned", "lt4rec": "of your own", "tree-prune": "no channels"},
        ),
    ],
)
def test_rows_that_do_not_apply_say_why(
    fields: dict[str, Any], changes: dict[str, Any], refused: dict[str, str]
) -> None:
    spec = make_spec(4, **fields)
    found = reasons(spec, replace(compared(4, ["compression"]), **changes))
    assert set(found) == set(refused)
    assert all(why in found[name] for name, why in refused.items())


def nine(*words: str, **changes: Any) -> Comparison:
    """Nine tasks in one small tree: what the wide network never prunes is larger than all of it."""
    tasks = tuple(Task(name, TaskKind.CLIP, 2) for name in "abcdefghi")
    return replace(compared(9, words), **{"tree": BranchTree.flat("abcdefghi", 8, 8), "tasks": tasks, **changes})


def test_a_tree_smaller_than_what_is_never_pruned_is_refused_before_any_training() -> None:
    spec, comparison = make_spec(9), nine("lth", "lt4rec")
    found = reasons(spec, comparison)
    assert found["lth"].startswith("heads, biases and normalisations alone have 68,855 parameters, and are not pruned")
    assert found["lt4rec"].startswith("heads, biases and normalisations alone have 75,735 parameters")
    assert all(f"{parameters(comparison, spec):,}" in why for why in found.values())
    assert not [one for one in decided(spec, comparison) if one.pruning]


def test_what_may_come_is_counted_though_the_smallest_tree_is_out_of_reach() -> None:
    """Before the tree is known it may be larger, and then there are rows."""
    spec, comparison = make_spec(9), nine("lth", "lt4rec", tree=None)
    assert not reasons(spec, comparison)
    states = system_states(known(spec, comparison))
    for tree in (BranchTree.flat("abcdefghi", shared, 8) for shared in range(8)):
        later = parts_of(spec, nine("lth", "lt4rec", tree=tree))
        for state in states:
            if state.system.name in later:
                (part,) = later[state.system.name]
                assert len(all_rounds(part.training)) <= state.to_come


def decided(spec: StudySpec, comparison: Comparison) -> list[Training]:
    decision = decide_comparison(known(spec, comparison), Spent())
    assert isinstance(decision, Ask)
    return list(decision.trainings)


@pytest.mark.parametrize("word", ROWS)
def test_a_single_task_has_no_such_row(word: str) -> None:
    spec = make_spec(1)
    assert word in reasons(spec, compared(1, [word]))
