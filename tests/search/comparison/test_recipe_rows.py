"""Rows of training algorithms and loss weightings: which there are, what they train, and why some have none."""

import json
from dataclasses import replace
from typing import Any

import pytest

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.registry import ALGORITHMS
from taskgraft.evaluators.weighting import extra
from taskgraft.evaluators.weighting.registry import WEIGHTINGS
from taskgraft.search.comparison.decisions import comparison_left, decide_comparison, refusals, system_states
from taskgraft.search.comparison.protocol import Known
from taskgraft.search.comparison.recipe_rows import _why_not
from taskgraft.search.comparison.registry import words_of
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.strategy import Ask, Spent
from taskgraft.search.study.comparison import comparison_spec
from taskgraft.search.study.other_recipes import training_under
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.comparison.driving import ComparedWorld, compared, drive
from tests.search.worlds import make_spec

ALGORITHM_WORDS = (
    "soft", "hard", "cross-soft", "cross-hard", "freeze-a", "freeze-b", "freeze-c", "serial-a", "serial-b", "serial-c",
    "mean-teacher", "soft-sharing-l2", "soft-sharing-orthogonal", "adversarial", "distil", "task-attention-step",
    "task-attention-channels",
)  # fmt: skip
WEIGHTING_WORDS = (
    "sum", "mean", "fixed", "uncertainty", "uncertainty-half", "uncertainty-positive", "loss-proportional",
    "loss-proportional-attached", "dwa", "gradnorm", "pcgrad", "mgda", "aligned-mtl", "aligned-mtl-median",
    "aligned-mtl-rmse", "imtl-g", "graddrop", "upgrad", "cagrad", "nash-mtl",
)  # fmt: skip


def trainings(spec: StudySpec, *words: str) -> dict[str, Training]:
    """The training of every row that there is, by the row's name."""
    known = Known(compared(len(spec.tasks), words), Evidence(comparison_spec(spec)))
    states = [state for state in system_states(known) if not state.refusal]
    return {model.name: model.parts[0].training for state in states for model in state.models}


def reasons(spec: StudySpec, *words: str) -> dict[str, str]:
    known = Known(compared(len(spec.tasks), words), Evidence(comparison_spec(spec)))
    return {refusal.system: refusal.reason for refusal in refusals(system_states(known))}


def test_there_is_a_word_for_each_row_of_the_registries() -> None:
    words = words_of(make_spec(3, depths=[8]))
    assert words[words.index("algorithms") : words.index("compression")] == (
        "algorithms",
        *ALGORITHM_WORDS,
        "weightings",
        *WEIGHTING_WORDS,
    )
    for name in (*ALGORITHMS, *WEIGHTINGS):
        assert any(word == name or word.startswith(f"{name}-") for word in words)


@pytest.mark.parametrize(
    ("kinds", "forms"),
    [
        (["clip", "clip"], {"uncertainty", "uncertainty-half"}),
        (["value", "value"], {"uncertainty", "uncertainty-class"}),
        (["clip", "value"], {"uncertainty", "uncertainty-class", "uncertainty-half"}),
    ],
)
def test_no_form_of_uncertainty_is_trained_twice(kinds: list[str], forms: set[str]) -> None:
    tasks = [
        {"name": name, "dataset": "d", "target": name, "kind": kind} for name, kind in zip("ab", kinds, strict=True)
    ]
    spec = StudySpec.parse({"ar_threshold": 0.02, "tasks": tasks, "training": {"epochs": 30}})
    assert {word for word in words_of(spec) if word.startswith("uncertainty")} - {"uncertainty-positive"} == forms


def test_a_new_algorithm_of_the_registry_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    hard = ALGORITHMS["hard"]
    changed: dict[str, type[Algorithm]] = {"hard": hard, "soft": ALGORITHMS["soft"]}
    monkeypatch.setattr("taskgraft.search.comparison.systems.algorithms.ALGORITHMS", changed)
    words = words_of(make_spec(3, name="of-two"))
    assert words[words.index("algorithms") : words.index("weightings")] == ("algorithms", "hard", "soft")


@pytest.mark.parametrize("own", [{}, {"algorithm": "hard"}, {"loss_weighting": "dwa", "masking": 0.1}])
def test_each_row_differs_from_the_study_in_one_field(own: dict[str, Any]) -> None:
    spec = make_spec(3, depths=[4, 6], training={"epochs": 30, **own})
    plain = comparison_spec(spec).training.model_dump()
    for name, training in trainings(spec, "algorithms", "weightings").items():
        shared = 0 if name.startswith("soft-sharing") else 6
        assert training.tree == BranchTree.flat("abc", shared, 8)
        made = training_under(comparison_spec(spec), training.recipe).model_dump()
        differs = [field for field in plain if made[field] != plain[field]]
        field = "algorithm" if name in ALGORITHM_WORDS else "loss_weighting"
        assert differs == ([field] if training.recipe else [])


@pytest.mark.parametrize(
    ("own", "same"),
    [
        ({}, {"soft", "sum"}),
        ({"algorithm": "hard", "loss_weighting": "mean"}, {"hard", "mean"}),
        ({"algorithm": {"name": "freeze", "order": ["b", "a", "c"]}}, {"freeze-b", "sum"}),
        ({"algorithm": {"name": "freeze", "order": ["b", "c", "a"]}}, {"sum"}),
        ({"algorithm": {"name": "cross-soft", "weight": 1}}, {"sum"}),
        ({"algorithm": {"name": "adversarial", "nuisance": "speaker"}}, {"adversarial", "sum"}),
        ({"loss_weighting": {"name": "uncertainty", "form": "half"}}, {"soft", "uncertainty-half"}),
        ({"loss_weighting": {"name": "fixed", "weights": {"a": 1, "b": 2, "c": 1}}}, {"soft", "fixed"}),
    ],
)
def test_what_the_study_does_itself_is_the_training_of_flat_sharing(own: dict[str, Any], same: set[str]) -> None:
    spec = make_spec(3, training={"epochs": 30, **own})
    found = trainings(spec, "flat", "algorithms", "weightings")
    assert {name for name, one in found.items() if one.recipe is None and not name.startswith("flat")} == same
    assert all(found[name] == found["flat-8"] for name in same)
    drive(compared(3, ["flat", *same]), spec)  # nothing is asked for twice


def test_orders_begin_with_the_named_task_and_keep_the_studys_order() -> None:
    found = trainings(make_spec(3), "freeze-c", "serial-b")
    assert json.loads(found["freeze-c"].recipe or "") == {"algorithm": {"name": "freeze", "order": ["c", "a", "b"]}}
    assert json.loads(found["serial-b"].recipe or "") == {"algorithm": {"name": "serial", "order": ["b", "a", "c"]}}


@pytest.mark.parametrize(
    ("training", "refused"),
    [
        ({}, {"mean-teacher": "kind events", "adversarial": "since nuisance", "fixed": "since weights"}),
        ({"start": "trunk"}, {"freeze-a": "training.start: algorithm freeze", "serial-c": "from scratch"}),
        ({"patience": 2, "schedule": "constant"}, {"freeze-b": "training.patience: algorithm freeze trains one"}),
    ],
)
def test_a_row_that_does_not_apply_is_refused_by_itself(training: dict[str, Any], refused: dict[str, str]) -> None:
    found = reasons(make_spec(3, training={"epochs": 30, **training}), "algorithms", "weightings")
    assert {"mean-teacher", "adversarial", "fixed"} <= found.keys()
    assert "hard" not in found
    for name, reason in refused.items():
        assert reason in found[name]
    assert not any("; got" in reason for reason in found.values())


def test_one_task_has_no_rows() -> None:
    found = reasons(make_spec(1), "algorithms", "weightings")
    assert set(found.values()) == {"takes 2 tasks or more, and the study has 1"}


def test_without_the_extra_aggregators_have_no_rows_and_the_others_have(monkeypatch: pytest.MonkeyPatch) -> None:
    _why_not.cache_clear()
    monkeypatch.setattr(extra, "is_installed", lambda package: package != "torchjd")
    found = reasons(make_spec(3), "weightings")
    _why_not.cache_clear()
    aggregators = {word for word in WEIGHTING_WORDS if WEIGHTINGS.get(word, WEIGHTINGS["sum"]).packages}
    assert found.keys() == {*aggregators, "aligned-mtl-median", "aligned-mtl-rmse", "fixed"}
    assert 'pip install "taskgraft[aggregators]"' in found["pcgrad"]


def test_baselines_are_those_of_the_studys_own_recipe() -> None:
    driven = drive(compared(3, ["hard", "dwa"]), make_spec(3))
    alone = [trial.training for trial in driven.trials if len(trial.training.tasks) == 1]
    assert [training.recipe for training in alone] == [None] * 3


def test_a_failed_training_costs_one_row_and_says_by_which_recipe() -> None:
    (row,) = trainings(make_spec(3), "freeze-c").values()
    driven = drive(compared(3, ["algorithms"]), make_spec(3), ComparedWorld(failing=frozenset([row])))
    found = {refusal.system: refusal.reason for refusal in refusals(system_states(driven.known))}
    assert found.keys() == {"freeze-c", "mean-teacher", "adversarial"}
    named = "training a+b+c sharing 8 blocks by algorithm freeze (order c, a, b) failed"
    assert found["freeze-c"] == f"{named}: the loss is nan"


def test_a_failed_trunk_of_another_recipe_costs_one_row() -> None:
    spec = make_spec(3, training={"epochs": 30, "start": "trunk"})
    (row,) = trainings(spec, "hard").values()
    trunk = replace(row, is_trunk=True)
    driven = drive(compared(3, ["flat-8", "hard", "dwa"]), spec, ComparedWorld(failing=frozenset([trunk])), workers=2)
    found = refusals(system_states(driven.known))
    assert [(one.system, one.reason) for one in found] == [
        ("hard", "training the trunk by algorithm hard failed: the loss is nan")
    ]
    assert row not in [trial.training for trial in driven.trials]


def test_the_time_left_counts_each_phase() -> None:
    plain, phased = (left_after_baselines(make_spec(3), words) for words in (["hard"], ["freeze-a"]))
    assert (plain.at_most, plain.questions, plain.longest) == (1, (1, 1), 1)
    assert (phased.at_most, phased.questions, phased.longest) == (1, (3, 3), 3)
    own = make_spec(3, training={"epochs": 30, "algorithm": {"name": "freeze", "order": list("abc")}})
    assert left_after_baselines(own, ["freeze-a"]).questions == (1, 1), "in units of the study's own trainings"
    assert left_after_baselines(own, ["hard"]).questions == pytest.approx((1 / 3, 1 / 3))


def left_after_baselines(spec: StudySpec, words: list[str]) -> Any:
    spec, comparison, world = comparison_spec(spec), compared(3, words), ComparedWorld()
    alone = [Training(BranchTree.flat([task], 8, 8)) for task in "abc"]
    known = Known(comparison, Evidence(spec, [world.end(training, 0) for training in alone]))
    decision = decide_comparison(known, Spent())
    assert isinstance(decision, Ask)
    return comparison_left(known, decision)
