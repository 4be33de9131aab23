"""What every system promises, whatever its rows are: one contract, run over all of them and all together."""

import random
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.errors import TrainingFailed
from taskgraft.evaluators.algorithms.distil import Distil
from taskgraft.search.comparison.decisions import baselines, rests_on, system_states, trainings_of
from taskgraft.search.comparison.protocol import Known, Model, Part
from taskgraft.search.comparison.registry import SYSTEMS, words_of
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.teachers import teachers_of
from taskgraft.search.running.agenda import ComparisonAgenda
from taskgraft.search.strategies.strategy import Ask, Spent
from taskgraft.search.study.comparison import Comparison, comparison_spec
from taskgraft.search.study.recipe_text import recipe_of
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree, Node
from tests.search.comparison.driving import NESTED, ComparedWorld, Driven, compared, drive
from tests.search.worlds import World, make_spec

TAUGHT = recipe_of({"algorithm": Distil().to_plain()})
NAMES = [system.name for system in SYSTEMS]
TOGETHER = (
    "independent,flat,tree,splits,hoa,tag,soft,hard,freeze-a,adversarial,soft-sharing-l2,sum,mean,pcgrad,lth,tree-prune"
)
"""Several at once; all at once is `all`, with many rows that differ in a word only."""


def rows(driven: Driven) -> dict[str, Model]:
    return {model.name: model for state in system_states(driven.known) if not state.refusal for model in state.models}


def compared_by(words: str, tasks: int = 4, seeds: int = 1) -> Comparison:
    return compared(tasks, words.split(","), seeds)


@pytest.mark.parametrize("name", [*NAMES, "flat-6", TOGETHER])
@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 6, 9])
@pytest.mark.parametrize("seeds", [1, 3])
def test_it_ends_with_rows_that_answer_every_task_once_or_says_why_not(name: str, tasks: int, seeds: int) -> None:
    driven = drive(compared_by(name, tasks, seeds), make_spec(tasks), workers=3)
    for state in system_states(driven.known):
        if state.refusal:
            assert not state.trainings
            continue
        assert state.models
        for model in state.models:
            answered = [task for part in model.parts for task in part.answers]
            assert sorted(answered) == list(driven.known.tasks)
            assert driven.known.have_ended(trainings_of(model, driven.known))
            assert set(trainings_of(model, driven.known)) <= set(rests_on(state, model))
            assert driven.known.have_ended(rests_on(state, model))


@pytest.mark.parametrize("name", [*NAMES, "all"])
def test_nothing_is_trained_that_no_row_rests_on(name: str) -> None:
    driven = drive(compared_by(name, 4, 2), make_spec(4))
    needed = {
        training
        for state in system_states(driven.known)
        for model in (() if state.refusal else state.models)
        for training in rests_on(state, model)
    }
    assert {trial.training for trial in driven.trials} == needed


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([*NAMES, TOGETHER]), st.integers(2, 5), st.integers(1, 2), st.integers(0, 999))
def test_order_workers_and_interruptions_change_neither_rows_nor_trainings(
    name: str, tasks: int, seeds: int, seed: int
) -> None:
    comparison, spec, world = compared_by(name, tasks, seeds), make_spec(tasks), ComparedWorld(World(seed=seed))
    plain = drive(comparison, spec, world)
    chance = random.Random(seed)
    other = drive(comparison, spec, world, workers=chance.randint(2, 5), order=chance)
    assert {trial.training for trial in other.trials} == {trial.training for trial in plain.trials}
    assert rows(other) == rows(plain)
    cut = chance.randint(0, len(other.trials))
    resumed = drive(comparison, spec, world, workers=2, order=chance, before=other.trials[:cut])
    assert len(resumed.trials) == len(plain.trials)
    assert rows(resumed) == rows(plain)


@pytest.mark.parametrize("settings", [{"repeats": 3}, {"repeats": "auto"}, {"strategy": "groups"}])
@pytest.mark.parametrize("training", [{"epochs": 30}, {"epochs": 30, "start": "trunk"}])
def test_every_kind_of_study_can_be_compared(settings: dict[str, Any], training: dict[str, Any]) -> None:
    spec = make_spec(4, training=training, **settings)
    driven = drive(compared_by(TOGETHER, 4, 2), spec, workers=2)
    trunks = [trial.training for trial in driven.trials if trial.training.is_trunk]
    repeats = 3 if spec.repeats == 3 else 2
    own = sorted(trunk.repeat for trunk in trunks if not trunk.recipe)
    assert own == (list(range(repeats)) if "start" in training else [])
    others = {row.recipe for trial in driven.trials if (row := trial.training).recipe}
    assert len(trunks) - len(own) == (2 * len(others) if "start" in training else 0), "one for each recipe and seed"
    alone = [trial.training for trial in driven.trials if len(trial.training.tasks) == 1]
    assert len(alone) == 4 * repeats  # trainings of several tasks are held against as many as in the study
    assert not any(trial.training.is_probe for trial in driven.trials)
    assert len(rows(driven)) == 1 + 5 + 1 + 6 + 2 + (7 if "start" in training else 9), (
        "freeze and lth start from no trunk"
    )


def test_what_several_systems_need_is_trained_once() -> None:
    together = drive(compared(4, ["all"]), make_spec(4))  # every row, once
    apart = [drive(compared(4, [name]), make_spec(4)) for name in NAMES]
    trained = {trial.training for one in apart for trial in one.trials}
    assert {trial.training for trial in together.trials} == trained
    assert len(together.trials) < sum(len(one.trials) for one in apart)


def test_splits_are_all_others_at_the_roots_depth() -> None:
    found = rows(drive(compared(4, ["splits"]), make_spec(4)))
    assert list(found) == [
        "{a,c,d} {b}", "{a,b,d} {c}", "{a,d} {b,c}", "{a,b,c} {d}", "{a,c} {b,d}", "{a} {b,c,d}"
    ]  # fmt: skip
    for model in found.values():
        (part,) = model.parts
        assert part.training.tree.root.blocks == (0, 6)
        assert part.training.tree != NESTED


def test_the_splits_of_many_tasks_are_those_of_the_smallest_trees() -> None:
    tree = BranchTree.flat("abcdef", 4, 8)
    weights = dict.fromkeys(combinations("abcdef", 2), 6) | {("a", "b"): 8}
    comparison = compared(6, ["splits"], tree=tree, weights=weights)
    found = rows(drive(comparison, make_spec(6)))
    assert len(found) == 15
    assert all("16 larger ones left out" in model.note for model in found.values())
    trees = [part.training.tree for model in found.values() for part in model.parts]
    assert all(tree.shared_depth("a", "b") == 8 for tree in trees)


def test_the_splits_of_too_many_tasks_are_refused() -> None:
    comparison = compared(13, ["splits"], tree=BranchTree.flat("abcdefghijklm", 4, 8), weights={})
    (state,) = system_states(drive(comparison, make_spec(13)).known)
    assert state.refusal == "splits of 12 tasks at most are compared, and the study has 13"


def test_a_tree_that_shares_nothing_is_split_into_parts_that_are_trained_one_by_one() -> None:
    comparison = compared(3, ["splits", "tree"], tree=BranchTree.flat("abc", 0, 8), weights={("a", "b"): 5})
    found = rows(drive(comparison, make_spec(3)))
    assert [len(found[name].parts) for name in ("tree", "{a,b} {c}")] == [3, 2]
    assert list(found) == ["tree", "{a,b} {c}"]  # the other two share nothing: they are the tree itself


def test_tag_asks_for_one_joint_training_that_looks_ahead() -> None:
    comparison, spec = compared(4, ["tag", "flat-8"], 2), comparison_spec(make_spec(4))
    agenda, joint = ComparisonAgenda(comparison), Training(BranchTree.flat("abcd", 8, 8))
    evidence = drive(comparison, make_spec(4)).known.evidence
    assert agenda.job(joint, evidence).with_lookaheads
    assert not agenda.job(replace(joint, repeat=1), evidence).with_lookaheads
    assert not ComparisonAgenda(compared(4, ["flat-8"])).job(joint, evidence).with_lookaheads
    assert agenda.job(joint, evidence).stopping is None
    assert spec.strategy.needs_exact_figures
    alike = ComparisonAgenda(compared(4, ["flat-8"])).alike(
        ComparisonAgenda(compared(4, ["flat-8"])).job(joint, evidence)
    )
    assert [(job.with_affinities, job.with_lookaheads) for job in alike] == [(True, False), (False, True)]


def test_a_training_that_failed_costs_its_systems_their_rows_and_nothing_else() -> None:
    pair = Training(BranchTree.flat("ac", 8, 8))
    driven = drive(compared(4, NAMES[:6]), make_spec(4), ComparedWorld(failing=frozenset([pair])))
    refused = {state.system.name: state.refusal for state in system_states(driven.known) if state.refusal}
    assert refused == {"hoa": "training a+c sharing 8 blocks failed: the loss is nan"}
    assert {"independent", "flat-8", "tree", "tag"} <= rows(driven).keys()


def test_a_failed_baseline_ends_the_comparison() -> None:
    alone = Training(BranchTree.flat("b", 8, 8))
    with pytest.raises(TrainingFailed, match="baseline of b failed: the loss is nan"):
        drive(compared(4, ["flat"]), make_spec(4), ComparedWorld(failing=frozenset([alone])))


def test_baselines_come_first_and_what_they_allow_does_not_wait() -> None:
    spec = comparison_spec(make_spec(4))
    comparison, world = compared(4, ["hoa"]), ComparedWorld()
    known = Known(comparison, Evidence(spec))
    first = ComparisonAgenda(comparison).decide(known.evidence, Spent())
    assert isinstance(first, Ask)
    assert first.trainings == baselines(known)
    assert first.at_least == 4 + 6
    ended = [world.end(training, 0) for training in first.trainings[:2]]
    second = ComparisonAgenda(comparison).decide(Evidence(spec, ended), Spent())
    assert isinstance(second, Ask)
    assert [training.tasks for training in second.trainings] == [("c",), ("d",), ("a", "b")]


def test_the_taught_tree_differs_from_the_tree_by_its_teachers_only() -> None:
    tree = BranchTree(
        Node(
            ("a", "b", "c"),
            (0, 0),
            (
                Node(("a", "b"), (0, 8), (Node(("a",), (8, 8)), Node(("b",), (8, 8)))),
                Node(("c",), (0, 8)),
            ),
        ),
        8,
    )
    spec = make_spec(3, training={"epochs": 30, "start": "trunk"})
    driven = drive(compared(3, ["tree", "tree-distil"], 2, tree=tree), spec)
    taught = {trial.training for trial in driven.trials if trial.training.recipe == TAUGHT}
    assert {(one.tasks, one.repeat) for one in taught} == {(("a", "b"), 0), (("a", "b"), 1)}
    assert {trial.training.recipe for trial in driven.trials if trial.training.is_trunk} == {None}
    evidence, agenda = driven.known.evidence, ComparisonAgenda(compared(3))
    plain, other = (agenda.job(replace(next(iter(taught)), recipe=recipe), evidence) for recipe in (None, TAUGHT))
    assert other.schedule
    assert other.schedule == replace(evidence.spec.training.schedule_for(plain.epochs), algorithm=Distil())
    assert (plain.references, plain.seed, plain.epochs) == (other.references, other.seed, other.epochs)
    assert teachers_of(other.training, evidence.spec).keys() == {"a", "b"}
    assert not teachers_of(plain.training, evidence.spec)


def test_there_is_no_taught_tree_where_nothing_is_taught_or_everything() -> None:
    comparison = compared(3, ["tree-distil"], tree=BranchTree.flat("abc", 0, 8))
    (state,) = system_states(drive(comparison, make_spec(3)).known)
    assert state.refusal == "the study found nothing to share, and baselines teach models of several tasks"
    taught = make_spec(3, training={"epochs": 30, "algorithm": "distil"})
    (state,) = system_states(drive(compared(3, ["tree-distil"]), taught).known)
    assert state.refusal
    assert "its tree is the row tree" in state.refusal


def test_models_and_parts_refuse_what_makes_no_sense() -> None:
    part = Part.whole(BranchTree.flat("ab", 8, 8))
    with pytest.raises(ValueError, match="by one network"):
        Model("twice", (part, Part(part.training, ("a",))))
    with pytest.raises(ValueError, match="answers one or more"):
        Part(part.training, ("c",))


def test_every_word_belongs_to_one_system() -> None:
    words = words_of(make_spec(3, depths=[4, 8]))
    assert words[:8] == ("independent", "flat", "flat-4", "flat-8", "tree", "splits", "hoa", "tag")
    assert len(set(words)) == len(words)
    spec = make_spec(3, depths=[4, 8])
    for system in SYSTEMS:
        for word in system.words(spec):
            assert all(found.summary and found.family == system.name for found in system.named(word, spec))
