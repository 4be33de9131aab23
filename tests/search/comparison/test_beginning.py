"""How a comparison begins: what is refused, what it takes from its study, and what it would cost."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from taskgraft.errors import Conflict, InvalidInput
from taskgraft.search.comparison.beginning import begin_comparison, check_request, count_groups
from taskgraft.search.study.comparison import Comparison, comparison_spec
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.space.cost import tree_cost
from taskgraft.space.document import tree_document
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.search.worlds import World, make_spec, simulate
from tests.space import paper

CNN8 = get_template("cnn8")


@pytest.mark.parametrize(
    ("systems", "seeds", "budget", "field", "message"),
    [
        (["flat", "lhth"], None, None, "systems", "there is all, independent, flat, flat-4, .*; got 'lhth'"),
        (["flat-3"], None, None, "systems", "there is no such system"),
        (["freeze-d"], None, None, "systems", "freeze-a, freeze-b, freeze-c, serial-a"),
        (["freeze"], None, None, "systems", "there is no such system"),
        ([], None, None, "systems", "one or more of all"),
        (["all"], 0, None, "seeds", "from 1 to 20; got 0"),
        (["all"], 21, None, "seeds", "from 1 to 20; got 21"),
        (["all"], None, 0, "group_budget", "1 or more; got 0"),
    ],
)
def test_a_bad_request_is_refused_by_its_field(
    systems: list[str], seeds: int | None, budget: int | None, field: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as refused:
        check_request(make_spec(3), systems, seeds, budget)
    assert [fault.where for fault in refused.value.faults] == [field]


@pytest.mark.parametrize(
    ("column", "dataset", "field", "message"),
    [
        ("b", None, "nuisance", "is no task of the study; got b, which b is about"),
        ("", None, "nuisance", "a text of 1 to 256 characters; got ''"),
        ("speaker", "", "nuisance_dataset", "a text of 1 to 256 characters"),
        ("speaker", "birds", "nuisance_dataset", "one of the datasets of the study: .*; got birds"),
        (None, "birds", "nuisance_dataset", "is about nuisance, which is not given; got 'birds'"),
    ],
)
def test_a_label_that_no_study_can_be_trained_against_is_refused(
    column: str | None, dataset: str | None, field: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as refused:
        check_request(make_spec(3), ["all"], nuisance=column, nuisance_dataset=dataset)
    assert [fault.where for fault in refused.value.faults] == [field]


def test_a_label_needs_its_dataset_if_there_are_several() -> None:
    tasks = [{"name": name, "dataset": f"of {name}", "target": "word"} for name in "ab"]
    spec = StudySpec.parse({"ar_threshold": 0.1, "tasks": tasks})
    with pytest.raises(InvalidInput, match="nuisance_dataset: one of the datasets of the study: of a, of b; got none"):
        check_request(spec, ["all"], nuisance="speaker")
    asked = check_request(spec, ["all"], nuisance="speaker", nuisance_dataset="of b")
    assert asked.nuisance == ("speaker", "of b")


def test_a_study_that_trains_against_a_label_itself_takes_no_other() -> None:
    spec = make_spec(3, training={"epochs": 3, "algorithm": {"name": "adversarial", "nuisance": "speaker"}})
    for column in ("speaker", "room"):
        with pytest.raises(InvalidInput, match=f"nuisance: is left out if the study's own .* got '{column}'"):
            check_request(spec, ["all"], nuisance=column)


def test_the_label_is_part_of_the_request_and_is_kept() -> None:
    asked, plain = (check_request(make_spec(3), ["all"], nuisance=column) for column in ("speaker", None))
    assert asked.request != plain.request
    assert Comparison.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    old = plain.to_json()
    del old["nuisance"]
    assert Comparison.from_json(old) == plain, "comparisons from before there were labels"


@pytest.mark.parametrize(
    ("systems", "checked"),
    [
        (["all"], ("independent", "flat", "tree", "splits", "hoa", "tag", "algorithms", "weightings", "compression")),
        (["pcgrad", "hard", "freeze-b", "serial-a"], ("hard", "freeze-b", "serial-a", "pcgrad")),
        (["hard", "algorithms", "mean"], ("algorithms", "mean")),
        (["tag", "flat-6", "tag", "flat-4"], ("flat-4", "flat-6", "tag")),
        (["flat-6", "flat"], ("flat",)),
        (
            ["flat-6", "all"],
            ("independent", "flat", "tree", "splits", "hoa", "tag", "algorithms", "weightings", "compression"),
        ),
    ],
)
def test_systems_are_named_once_in_the_order_of_their_rows(systems: list[str], checked: tuple[str, ...]) -> None:
    assert check_request(make_spec(3), systems).systems == checked


@pytest.mark.parametrize(("repeats", "seeds"), [(1, 1), (3, 3), ("auto", 1)])
def test_there_are_as_many_seeds_as_the_study_has_repeats(repeats: Any, seeds: int) -> None:
    assert check_request(make_spec(3, repeats=repeats), ["all"]).seeds == seeds


def succeeded(tree: BranchTree, **spec: Any) -> Study:
    """A study of four tasks that delivered a tree."""
    now = datetime.now(UTC)
    document = tree_document(tree, CNN8, 0.02)
    return Study("0" * 16, make_spec(4, **spec), State.SUCCEEDED, now, now, tree=document)


def test_it_takes_tree_weights_and_effort_from_the_study() -> None:
    spec, world = make_spec(4, depths=[4, 6, 8]), World({("a", "b", 8): 0.01, ("c", "d", 6): 0.02})
    run = simulate(spec, world)
    study = replace(succeeded(run.settled.tree), spec=spec)
    begun = begin_comparison(study, run.trials, TASKS, check_request(spec, ["all"]))
    assert begun.tree == run.settled.tree
    assert begun.weights == {("a", "b"): 8, ("c", "d"): 6}
    assert begun.effort.trainings == len(run.trials)
    assert begun.effort.seconds == pytest.approx(len(run.trials))
    assert len(begun.effort.known) >= 4  # the baselines
    assert Comparison.from_json(begun.to_json()) == begun


TASKS = [replace(task, name=name) for name, task in zip("abcd", paper.TASKS, strict=True)]


@pytest.mark.parametrize("state", [state for state in State if state is not State.SUCCEEDED])
def test_only_a_study_that_succeeded_can_be_compared(state: State) -> None:
    study = replace(succeeded(BranchTree.flat("abcd", 6, 8)), state=state)
    with pytest.raises(Conflict, match=state.value):
        begin_comparison(study, (), TASKS, check_request(study.spec, ["all"]))


def test_a_comparison_is_not_compared_again() -> None:
    study = succeeded(BranchTree.flat("abcd", 6, 8))
    facts = {"comparison": check_request(study.spec, ["all"]).to_json()}
    with pytest.raises(Conflict, match="is a comparison itself"):
        begin_comparison(replace(study, facts=facts), (), TASKS, check_request(study.spec, ["all"]))


@pytest.mark.parametrize(("shared", "groups"), [(8, 1), (6, 1), (4, 2), (0, 4)])
def test_groups_fit_into_the_size_of_the_tree(shared: int, groups: int) -> None:
    tree = BranchTree.flat("abcd", shared, 8)
    assert count_groups(tree, CNN8, TASKS, None) == groups
    size = tree_cost(tree, CNN8, TASKS)
    assert count_groups(tree, CNN8, TASKS, size.parameters) == groups


def test_a_budget_in_parameters_takes_the_place_of_the_trees_size() -> None:
    tree = BranchTree.flat("abcd", 8, 8)
    one = tree_cost(tree, CNN8, TASKS).parameters or 0
    counts = [count_groups(tree, CNN8, TASKS, one + more) for more in (-1, 0, CNN8.encoder_parameters, 10**9)]
    assert counts == [0, 1, 2, 4]


def test_the_study_of_a_comparison_is_that_of_its_parent_but_for_the_search() -> None:
    spec = make_spec(3, name="x" * 64, strategy="groups", budget={"trials": 9}, confirm=2, training={"epochs": "auto"})
    made = comparison_spec(spec, 40, "cpu")
    assert made.strategy is Strategy.EXHAUSTIVE
    assert (made.training.epochs, made.training.device, made.confirm) == (40, "cpu", 0)
    assert not made.budget.is_limited
    assert not made.stops_early
    assert (made.tasks, made.depths, made.seed, made.repeats) == (spec.tasks, spec.depths, spec.seed, spec.repeats)
    assert type(made).parse(made.to_plain()) == made
