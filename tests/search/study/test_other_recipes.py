"""Recipes that name the fields of `training` that differ: read like a study file, and refused like one."""

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.search.study.other_recipes import training_under
from taskgraft.search.study.recipe_text import recipe_of, recipe_words
from taskgraft.search.study.spec import StudySpec
from tests.search.worlds import make_spec

FREEZE = {"algorithm": {"name": "freeze", "order": ["b", "a"]}}


@pytest.mark.parametrize(
    "fields",
    [
        {"algorithm": "hard"},
        FREEZE,
        {"loss_weighting": {"name": "fixed", "weights": {"a": 1.0, "b": 2.0}}},
        {"algorithm": "hard", "loss_weighting": "mean", "mixup": 0.2},
        {"optimiser": "sgd", "weight_decay": 0.1},
    ],
)
@pytest.mark.parametrize("preset", ["default", "seed-scenes"])
def test_it_is_what_a_study_of_these_fields_trains(fields: dict[str, object], preset: str) -> None:
    own = {"recipe": preset, "epochs": 9, "masking": 0.1}
    spec = make_spec(2, training=own)
    other = make_spec(2, training=own | fields)
    assert training_under(spec, recipe_of(fields)) == other.training
    assert training_under(spec, recipe_of(fields)).schedule_for() == other.training.schedule_for()
    assert training_under(spec, None) == spec.training


@pytest.mark.parametrize(
    ("training", "recipe", "where", "message"),
    [
        ({}, '{"algorithm": "hard"}', "recipe", "sorted keys, compact"),
        ({}, '{"mixup":0.1,"algorithm":"hard"}', "recipe", "sorted keys"),
        ({}, '{"algorithm":', "recipe", "a JSON object"),
        ({}, '{"mixup":NaN}', "recipe", "a JSON object"),
        ({}, "fast", "recipe", "there is default"),
        ({}, '{"epochs":3}', "recipe.epochs", "is the same for all trainings of a study; got 3"),
        ({}, '{"device":"cpu"}', "recipe.device", "the same for all"),
        ({}, '{"pace":3}', "training.pace", "there is no such field"),
        ({}, '{"algorithm":"fast"}', "training.algorithm", "there is soft"),
        ({}, '{"algorithm":{"name":"freeze","order":["a"]}}', "training.algorithm.order", "b is left out"),
        ({}, '{"algorithm":"mean-teacher"}', "training.algorithm", "a task of kind events"),
        ({}, '{"loss_weighting":{"name":"fixed","weights":{"a":1}}}', "training.loss_weighting.weights.b", "required"),
        ({"start": "trunk"}, recipe_of(FREEZE), "training.start", "from scratch"),
        ({"patience": 2, "schedule": "constant"}, recipe_of(FREEZE), "training.patience", "one task after the other"),
        ({}, '{"algorithm":{"name":"adversarial","nuisance":"speaker"}}', "training.algorithm.nuisance", "got speaker"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(
    training: dict[str, object], recipe: str, where: str, message: str
) -> None:
    spec = make_spec(2, training={"epochs": 30, **training})
    with pytest.raises(InvalidInput, match=message) as refused:
        training_under(spec, recipe)
    assert where in [fault.where for fault in refused.value.faults]


def test_the_studys_own_nuisance_may_be_trained_against() -> None:
    against = {"name": "adversarial", "nuisance": "speaker", "dataset": None}
    spec = make_spec(2, training={"epochs": 30, "algorithm": against})
    made = training_under(spec, recipe_of({"mixup": 0.2}))
    assert (made.mixup, made.algorithm) == (0.2, spec.training.algorithm)
    assert StudySpec.parse(spec.to_plain()) == spec


def test_people_read_names_and_options() -> None:
    assert recipe_words("seed-emotion") == "seed-emotion"
    assert recipe_words(recipe_of({"algorithm": "hard"})) == "algorithm hard"
    assert recipe_words(recipe_of(FREEZE)) == "algorithm freeze (order b, a)"
    fixed = recipe_of({"loss_weighting": {"name": "fixed", "weights": {"a": 1}}})
    assert recipe_words(fixed) == "loss weighting fixed (weights (a 1))"
