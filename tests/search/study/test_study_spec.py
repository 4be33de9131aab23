"""Every fault of a study's specification is told at once: the field, the rule, the value."""

import math
import pickle
from typing import Any

import pytest

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.optimisation.presets import PRESETS, RecipeName
from taskgraft.search.study.noise_spec import NoiseSpec
from taskgraft.search.study.spec import MAX_TASKS, Strategy, StudySpec
from taskgraft.search.study.training_spec import Start, TrainingSpec
from taskgraft.space.matrix import Decision


def task(name: Any = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "dataset": "speech", "target": "word", **more}


def study(*tasks: Any, **more: Any) -> dict[str, Any]:
    return {"ar_threshold": 0.02, "tasks": list(tasks or [task()]), **more}


def faults(body: object) -> list[Fault]:
    with pytest.raises(InvalidInput) as caught:
        StudySpec.parse(body)
    return list(caught.value.faults)


def test_defaults_are_those_of_the_contract() -> None:
    spec = StudySpec.parse(study(task("a"), task("b", kind="frames")))
    assert (spec.template, spec.depths, spec.strategy) == ("cnn8", (4, 5, 6, 7, 8), Strategy.ADAPTIVE)
    assert (spec.decision, spec.repeats, spec.seed) == (Decision.POINT, 1, 0)
    assert (spec.training.epochs, spec.training.batch_size, spec.training.learning_rate) == ("auto", 64, 0.001)
    assert (spec.budget.trials, spec.budget.seconds) == (None, None)
    assert spec.task_names == ("a", "b")


def test_plain_data_is_read_back_to_an_equal_study() -> None:
    spec = StudySpec.parse(study(task("a"), depths=[8, 2], seed=7, budget={"trials": 9}))
    assert StudySpec.parse(spec.to_plain()) == spec == pickle.loads(pickle.dumps(spec))
    assert hash(StudySpec.parse(spec.to_plain())) == hash(spec)


def test_one_task_is_enough_and_sixty_four_are_allowed() -> None:
    assert StudySpec.parse(study()).task_names == ("a",)
    names = [f"t{place}" for place in range(MAX_TASKS)]
    assert StudySpec.parse(study(*map(task, names))).task_names == tuple(names)
    assert faults(study(*(task(f"t{place}") for place in range(MAX_TASKS + 1)))) == [
        Fault("tasks", "a study has 1 to 64 tasks; got 65")
    ]
    assert faults({"ar_threshold": 0, "tasks": []}) == [Fault("tasks", "a study has 1 to 64 tasks; got 0")]


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        (study(ar_threshold=1), "ar_threshold", ["less than 1", "got 1"]),
        (study(ar_threshold=-0.1), "ar_threshold", ["greater than or equal to 0", "got -0.1"]),
        (study(ar_threshold=math.nan), "ar_threshold", ["finite", "got nan"]),
        (study(ar_threshold=math.inf), "ar_threshold", ["finite", "got inf"]),
        (study(ar_threshold=True), "ar_threshold", ["is a number", "got True"]),
        (study(ar_threshold="1:30"), "ar_threshold", ["is a number", "got '1:30'"]),
        (study(ar_threshold=None), "ar_threshold", ["number", "got None"]),
        ({"tasks": [task()]}, "ar_threshold", ["is required"]),
        ({"ar_threshold": 0}, "tasks", ["is required"]),
        (study(template="cnn9"), "template", ["there is", "cnn8", "got 'cnn9'"]),
        (study(depths=[4, 9]), "depths", ["cnn8 has 8 blocks", "got [4, 9]"]),
        (study(depths=[4, 4]), "depths", ["once", "got [4, 4]"]),
        (study(depths=[]), "depths", ["one depth or more; leave this out", "got []"]),
        (study(depths=[0]), "depths.0", ["greater than or equal to 1", "got 0"]),
        (study(depths=4), "depths", ["is a list", "got 4"]),
        (study(strategy="clever"), "strategy", ["'bisection', 'groups' or 'trees'", "got 'clever'"]),
        (study(decision="sure"), "decision", ["'point' or 'confident'", "got 'sure'"]),
        (study(repeats=0), "repeats", ["a whole number from 1 to 20, or auto", "got 0"]),
        (study(repeats=True), "repeats", ["a whole number from 1 to 20, or auto", "got True"]),
        (study(strategy="groups", synthesis="compact"), "synthesis", ["puts the tree together while it asks"]),
        (study(seed=-1), "seed", ["greater than or equal to 0", "got -1"]),
        (study(seed="1"), "seed", ["integer", "got '1'"]),
        (study(seed=True), "seed", ["integer", "got True"]),
        (study(name="../x"), "name", ["a study's name has", "got '../x'"]),
        (study(colour="red"), "colour", ["there is no such field", "got 'red'"]),
        (study(training={"epochs": 2.5}), "training.epochs", ["a whole number from 1 to 10000, or auto", "got 2.5"]),
        (study(training={"epochs": 0}), "training.epochs", ["a whole number from 1 to 10000, or auto", "got 0"]),
        (study(training={"epochs": 10_001}), "training.epochs", ["a whole number from 1 to 10000, or auto"]),
        (study(training={"epochs": "soon"}), "training.epochs", ["or auto", "got 'soon'"]),
        (study(training={"epochs": True}), "training.epochs", ["or auto", "got True"]),
        (study(training={"epochs": None}), "training.epochs", ["or auto", "got None"]),
        (study(training={"recipe": "seed"}), "training.recipe", ["'seed-scenes' or 'seed-emotion'", "got 'seed'"]),
        (study(training={"recipe": ["default"]}), "training.recipe", ["'default'", "got ['default']"]),
        (study(training={"optimiser": "lion"}), "training.optimiser", ["'adamw', 'adam' or 'sgd'", "got 'lion'"]),
        (study(training={"schedule": "steps"}), "training.schedule", ["'constant'", "got 'steps'"]),
        (study(training={"weight_decay": -1}), "training.weight_decay", ["greater than or equal to 0", "got -1"]),
        (study(training={"checkpoint": "best"}), "training.checkpoint", ["'metric', 'loss' or 'last'", "got 'best'"]),
        (study(training={"class_weights": "some"}), "training.class_weights", ["'auto', 'none'", "got 'some'"]),
        (study(training={"warm_up": "0.1"}), "training.warm_up", ["is a number", "got '0.1'"]),
        (
            study(training={"schedule": "constant", "warm_up": 0.1}),
            "training.warm_up",
            ["schedule constant has no warm-up: leave it out", "got 0.1"],
        ),
        (
            study(training={"epochs": 40, "patience": 5}),
            "training.patience",
            ["warmup-cosine falls to 0 over the planned steps", "use schedule constant", "got 5"],
        ),
        (study(training={"schedule": "constant", "patience": 0}), "training.patience", ["equal to 1", "got 0"]),
        (
            study(training={"schedule": "constant", "patience": 5}),
            "training.patience",
            ["ends trainings of a given length: give training.epochs, too", "got 5"],
        ),
        (
            study(training={"recipe": "seed-emotion", "epochs": 30}),
            "training.patience",
            ["is shorter than the 30 epochs of training.epochs", "got 30"],
        ),
        (
            study(training={"recipe": "seed-emotion", "schedule": "warmup-linear"}),
            "training.patience",
            ["warmup-linear falls to 0", "leave it out, or use schedule constant", "got 30"],
        ),
        (study(training={"start": "warm"}), "training.start", ["'scratch' or 'trunk'", "got 'warm'"]),
        (
            study(task("a"), task("b"), training={"epochs": 1, "start": "trunk"}),
            "training.start",
            ["2 epochs or more", "training.epochs is 1"],
        ),
        (study(training={"start": "trunk"}), "training", ["takes 2 tasks or more", "has 1", "leave it out"]),
        (
            study(task("a"), task("b"), training={"start": "trunk"}, budget={"trials": 2}),
            "budget.trials",
            ["with their trunks, take 3 trainings", "got 2"],
        ),
        (study(confirm=21), "confirm", ["20", "got 21"]),
        (study(confirm=True), "confirm", ["integer", "got True"]),
        (study(confirm=-1), "confirm", ["0", "got -1"]),
        (study(training={"momentum": 1}), "training.momentum", ["there is no such field", "got 1"]),
        (study(training={"algorithm": "harder"}), "training.algorithm", ["there is soft, hard, ", "got 'harder'"]),
        (study(training={"learning_rate": 0}), "training.learning_rate", ["greater than 0", "got 0"]),
        (study(training=[]), "training", ["is an object", "got []"]),
        (study(budget={"seconds": -1}), "budget.seconds", ["greater than 0", "got -1"]),
        (study(task("a b")), "tasks.0.name", ["a task's name has", "got 'a b'"]),
        (study(task(5)), "tasks.0.name", ["string", "got 5"]),
        (study(task(kind="words")), "tasks.0.kind", ["'clip', 'frames', 'events', 'tags' or 'value'", "got 'words'"]),
        (study(task(metric="auc")), "tasks.0.metric", ["auc is no metric; clip tasks are judged by accuracy"]),
        (study(task(metric="roc_auc")), "tasks.0.metric", ["roc_auc does not fit; clip tasks are judged by accuracy"]),
        (study({"name": "a", "dataset": "speech"}), "tasks.0.target", ["is required"]),
        (study("gender"), "tasks.0", ["is an object", "got 'gender'"]),
        ({"ar_threshold": 0, "tasks": "gender"}, "tasks", ["is a list", "got 'gender'"]),
        ([study()], "", ["is an object"]),
        (None, "", ["is an object", "got None"]),
    ],
)  # fmt: skip
def test_a_fault_names_its_field_the_rule_and_the_value(body: object, where: str, words: list[str]) -> None:
    (fault,) = faults(body)
    assert fault.where == where
    assert all(word in fault.message for word in words), fault


def test_all_faults_are_told_at_once() -> None:
    body = study(
        task("a", kind="words"), task("b"), task("b", dataset=""), {"name": "c"},
        ar_threshold=2, template="cnn9", depths=[0, 3], repeats="two", training={"epochs": 0, "x": 1}, more=1,
    )  # fmt: skip
    assert sorted(fault.where for fault in faults(body)) == [
        "ar_threshold", "depths.0", "more", "repeats", "tasks.0.kind", "tasks.2.dataset", "tasks.2.name",
        "tasks.3.dataset", "tasks.3.target", "template", "training.epochs", "training.x",
    ]  # fmt: skip


def test_each_name_that_is_repeated_is_told_where_it_stands_again() -> None:
    body = study(task("a"), task("b"), task("a"), task("b"), task("a"))
    assert faults(body) == [
        Fault(f"tasks.{place}.name", f"task names are unique; got {name!r}")
        for place, name in ((2, "a"), (3, "b"), (4, "a"))
    ]


def test_where_every_task_is_invalid_nothing_is_said_of_their_number() -> None:
    assert {fault.where for fault in faults(study(task(1), task(2)))} == {"tasks.0.name", "tasks.1.name"}


def test_the_default_depths_are_no_part_of_the_schema_as_an_empty_list() -> None:
    """An empty list is refused; what the store keeps has the depths filled in."""
    depths = StudySpec.model_json_schema()["properties"]["depths"]
    assert (depths["minItems"], "default" in depths) == (1, False)
    assert StudySpec.parse(study()).to_plain()["depths"] == [4, 5, 6, 7, 8]


def test_long_values_are_cut_in_messages() -> None:
    (fault,) = faults(study({**task(), "kind": "x" * 5000}))
    assert len(fault.message) < 200
    (fault,) = faults(study(template="x" * 5000))  # which lists all templates
    assert "x" * 81 not in fault.message


@pytest.mark.parametrize(("repeats", "smallest"), [(1, 3), (2, 6), ("auto", 6)])
def test_a_budget_holds_at_least_the_baselines(repeats: int | str, smallest: int) -> None:
    tasks = [task("a"), task("b"), task("c")]
    assert StudySpec.parse(study(*tasks, repeats=repeats, budget={"trials": smallest})).budget.trials == smallest
    assert faults(study(*tasks, repeats=repeats, budget={"trials": smallest - 1})) == [
        Fault(
            "budget.trials",
            f"the baselines of these tasks and repeats alone take {smallest} trainings; got {smallest - 1}",
        )
    ]


def test_exact_synthesis_is_for_few_tasks() -> None:
    tasks = [{"name": f"t{place}", "dataset": "d", "target": "x"} for place in range(13)]
    with pytest.raises(InvalidInput, match="synthesis: exact takes at most 12 tasks, and this study has 13"):
        StudySpec.parse({"ar_threshold": 0.02, "tasks": tasks, "synthesis": "exact"})
    assert StudySpec.parse({"ar_threshold": 0.02, "tasks": tasks, "synthesis": "compact"}).synthesis == "compact"


def test_a_study_at_another_threshold_is_named_after_both() -> None:
    spec = StudySpec.parse(study(task(), name="smart-speaker"))
    there = spec.at_threshold(0.05)
    assert (there.name, there.ar_threshold) == ("smart-speaker-q0.05", 0.05)
    assert there.model_copy(update={"name": spec.name, "ar_threshold": spec.ar_threshold}) == spec
    assert there.at_threshold(1e-05).name == "smart-speaker-q1e-05"
    assert spec.at_threshold(spec.ar_threshold) is spec
    long = StudySpec.parse(study(task(), name="n" * 64)).at_threshold(0.125)
    assert (len(long.name), long.name[-8:]) == (64, "nn-q0.125"[-8:])


@pytest.mark.parametrize("threshold", [1.0, -0.01, float("nan"), float("inf")])
def test_no_study_is_at_an_impossible_threshold(threshold: float) -> None:
    with pytest.raises(InvalidInput, match="ar_threshold"):
        StudySpec.parse(study(task())).at_threshold(threshold)


def test_a_study_at_another_threshold_has_the_training_length_that_was_chosen() -> None:
    spec = StudySpec.parse(study(task(), training={"epochs": "auto", "batch_size": 8}))
    assert spec.at_threshold(0.05).training == spec.training
    there = spec.at_threshold(0.05, epochs=40)
    assert there.training == TrainingSpec(epochs=40, batch_size=8)
    assert there.at_threshold(0.1, epochs=80).training.epochs == 40, "what a study says is not changed"


@pytest.mark.parametrize(
    ("epochs", "trunk", "rest"), [(2, 1, 1), (3, 1, 2), (5, 1, 4), (6, 2, 4), (8, 2, 6), (20, 5, 15)]
)
def test_a_trunk_takes_a_quarter_of_the_epochs(epochs: int, trunk: int, rest: int) -> None:
    assert TrainingSpec(epochs=epochs, start=Start.TRUNK).split(epochs) == (trunk, rest)
    assert TrainingSpec(epochs=epochs).split(epochs) == (0, epochs)


def test_only_a_study_that_says_its_epochs_can_give_them() -> None:
    assert TrainingSpec(epochs=7).given_epochs == 7
    with pytest.raises(InvalidInput, match=r"training.epochs: .*got auto"):
        _ = TrainingSpec().given_epochs


def test_a_template_answers_the_kinds_of_task_that_it_has_heads_for() -> None:
    (fault,) = faults(study(task("a"), task("b", kind="frames"), task("c", kind="frames"), template="vgg11"))
    assert fault.where == "template"
    assert "vgg11 answers clip, tags, value tasks only, and b, c is of another kind" in fault.message
    assert "cnn8" in fault.message
    assert "cp-mobile," not in fault.message
    assert StudySpec.parse(study(template="vgg11")).depths == (4, 5, 6, 7, 8, 9)


def test_a_template_with_crops_of_one_length_takes_no_other() -> None:
    (fault,) = faults(study(template="alexnet", training={"clip_seconds": 2.0}))
    assert fault.where == "training"
    assert fault.message.startswith("clip_seconds: the front end takes crops of 16.384 s only: leave it out")


def test_a_width_makes_the_template_narrower() -> None:
    spec = StudySpec.parse(study(template="vgg11", width=0.125))
    assert spec.encoder.width == 0.125
    assert spec.encoder.encoder_parameters < StudySpec.parse(study(template="vgg11")).encoder.encoder_parameters / 50
    assert StudySpec.parse(spec.to_plain()) == spec
    for width in (0, -1, 1.5, "wide", math.nan):
        (fault,) = faults(study(width=width))
        assert fault.where == "width"


def test_a_front_end_that_the_template_cannot_take_is_refused_with_the_reason() -> None:
    spec = StudySpec.parse(study(front_end="mfcc"))
    assert spec.encoder.front_end.rows == 40
    assert StudySpec.parse(spec.to_plain()) == spec
    (fault,) = faults(study(template="transformer-s", front_end="scene"))
    assert fault.where == "front_end"
    assert "transformer-s can't take 'scene': positions are for" in fault.message
    (fault,) = faults(study(front_end="loud"))
    assert "no front end 'loud'; there is default" in fault.message


def test_noise_and_shift_have_ranges() -> None:
    spec = StudySpec.parse(study(training={"noise": {"snr": [-5, 20]}, "shift": 0.25}))
    assert spec.training.noise == NoiseSpec(snr=(-5.0, 20.0))
    assert StudySpec.parse(spec.to_plain()) == spec
    plain = TrainingSpec()
    assert plain.noise is None
    assert plain.shift == 0
    for training, where, rule in (
        ({"noise": {"snr": [20, 5]}}, "training.noise.snr", "the lowest ratio comes first; got [20, 5]"),
        ({"noise": {"snr": [-21, 5]}}, "training.noise.snr.0", "greater than or equal to -20; got -21"),
        ({"noise": {"snr": [5, 81]}}, "training.noise.snr.1", "less than or equal to 80; got 81"),
        ({"noise": {"snr": [5, "loud"]}}, "training.noise.snr.1", "is a number; got 'loud'"),
        ({"noise": {}}, "training.noise.snr", "is required"),
        ({"noise": {"snr": [0, 5], "colour": "pink"}}, "training.noise.colour", "there is no such field"),
        ({"shift": -0.1}, "training.shift", "greater than or equal to 0; got -0.1"),
        ({"shift": 11}, "training.shift", "less than or equal to 10; got 11"),
    ):
        (fault,) = faults(study(training=training))
        assert fault.where == where
        assert rule in fault.message


def test_what_has_no_meaning_for_a_front_end_is_refused() -> None:
    (fault,) = faults(study(front_end="waveform", training={"mixstyle": 0.4}))
    assert fault.where == "training.mixstyle"
    assert fault.message.startswith("is for front ends with bands, and waveform has none")
    assert fault.message.endswith("got 0.4")
    (fault,) = faults(study(front_end="mfcc", training={"noise": {"snr": [0, 20]}}))
    assert fault.where == "training.noise"
    assert fault.message.startswith("is for samples and mel energies, and mfcc keeps neither")
    assert fault.message.endswith("got [0.0, 20.0]")
    noise = {"noise": {"snr": [0, 20]}}
    for fitting in (
        {"front_end": "waveform", "training": {**noise, "mixup": 0.2}},
        {"front_end": "mfcc", "training": {"mixstyle": 0.4}},
        {"template": "vgg11", "training": noise},
    ):
        StudySpec.parse(study(**fitting))


def test_a_recipe_says_what_the_study_does_not() -> None:
    emotion = StudySpec.parse(study(training={"recipe": "seed-emotion"})).training
    assert (emotion.epochs, emotion.batch_size) == (300, 32)
    assert emotion.optimisation == PRESETS[RecipeName.SEED_EMOTION].optimisation
    own = StudySpec.parse(study(training={"recipe": "seed-emotion", "epochs": 9, "patience": None, "optimiser": "sgd"}))
    assert (own.training.epochs, own.training.batch_size, own.training.patience) == (9, 32, None)
    assert (own.training.optimiser, own.training.learning_rate) == ("sgd", 1e-5)
    scenes = StudySpec.parse(study(training={"recipe": "seed-scenes", "masking": 0.2})).training
    assert (scenes.epochs, scenes.batch_size, scenes.class_weights, scenes.masking) == ("auto", 48, "none", 0.2)


@pytest.mark.parametrize("recipe", RecipeName)
def test_a_study_with_a_recipe_is_read_back_as_it_was_written(recipe: RecipeName) -> None:
    spec = StudySpec.parse(study(training={"recipe": recipe.value}))
    assert StudySpec.parse(spec.to_plain()) == spec
    assert spec.at_threshold(0.3).training == spec.training


def test_the_defaults_of_training_are_the_default_recipe() -> None:
    assert TrainingSpec() == TrainingSpec(recipe=RecipeName.DEFAULT)
    assert TrainingSpec().optimisation == PRESETS[RecipeName.DEFAULT].optimisation
    fields = {name for preset in PRESETS.values() for name in preset.fields}
    assert fields < TrainingSpec.model_fields.keys()


def test_a_training_under_another_recipe_is_as_long_as_the_studys_own() -> None:
    own = TrainingSpec(epochs=40, masking=0.1)
    assert own.under(None) is own
    other = own.under("seed-emotion")
    assert (other.epochs, other.masking, other.batch_size) == (40, 0.1, 32)
    assert other.optimisation == PRESETS[RecipeName.SEED_EMOTION].optimisation
    with pytest.raises(InvalidInput, match="recipe: there is default, seed-scenes, seed-emotion; got 'fast'"):
        own.under("fast")


@pytest.mark.parametrize(("choice", "stops"), [("metric", True), ("loss", False), ("last", False)])
def test_no_training_is_stopped_whose_checkpoint_is_not_chosen_by_metric(choice: str, stops: bool) -> None:
    """A later checkpoint may be worse than one that meets the threshold, so that no AR would be a bound."""
    assert StudySpec.parse(study(training={"checkpoint": choice})).stops_early is stops
