"""Recipes as values: what they refuse, what they come to, and that every name stands for something."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.metrics import METRICS
from taskgraft.evaluators.optimisation.building import build_optimiser
from taskgraft.evaluators.optimisation.checkpoints import CHOICES, VALIDATION_LOSS, ChoiceName, Seen
from taskgraft.evaluators.optimisation.class_weights import ClassWeights, averages_over_classes, weigh_classes
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.optimisation.optimisers import OPTIMISERS, OptimiserName
from taskgraft.evaluators.optimisation.patience import is_out_of_patience
from taskgraft.evaluators.optimisation.presets import PRESETS, RecipeName
from taskgraft.evaluators.optimisation.rates import RATES, RateName
from taskgraft.evaluators.schedule import Schedule
from taskgraft.space.tasks import is_valid_name


def test_every_name_stands_for_something() -> None:
    registered: list[Mapping[Any, Any]] = [OPTIMISERS, RATES, CHOICES, PRESETS]
    assert [set(one) for one in registered] == [set(OptimiserName), set(RateName), set(ChoiceName), set(RecipeName)]


@pytest.mark.parametrize(
    ("fields", "where", "says"),
    [
        ({"learning_rate": 0.0}, "learning_rate", "above 0 and at most 1; got 0.0"),
        ({"weight_decay": -0.1}, "weight_decay", "0 or more and at most 1; got -0.1"),
        ({"warm_up": 1.5}, "warm_up", "at most 1; got 1.5"),
        ({"schedule": RateName.CONSTANT, "warm_up": 0.1}, "warm_up", "constant has no warm-up: leave it out; got 0.1"),
        ({"schedule": RateName.CONSTANT, "patience": 0}, "patience", "1 epoch or more; got 0"),
        ({"patience": 3}, "patience", "warmup-cosine falls to 0 .* or use schedule constant; got 3"),
        ({"patience": 3, "schedule": RateName.WARMUP_LINEAR}, "patience", "warmup-linear falls to 0"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: Mapping[str, Any], where: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        Optimisation(**fields)
    assert [fault.where for fault in caught.value.faults] == [where]


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        Optimisation(2.0, weight_decay=3.0, warm_up=-1.0, patience=1)
    assert [fault.where for fault in caught.value.faults] == ["learning_rate", "weight_decay", "warm_up", "patience"]


def test_recipes_of_the_field_are_those_of_their_sources() -> None:
    scenes, emotion = PRESETS[RecipeName.SEED_SCENES], PRESETS[RecipeName.SEED_EMOTION]
    assert scenes.optimisation.to_plain() == Optimisation().to_plain(), "all but the class weights"
    assert (scenes.batch_size, scenes.epochs, scenes.optimisation.class_weights) == (48, None, ClassWeights.NONE)
    assert emotion.optimisation == Optimisation(
        1e-5,
        OptimiserName.ADAM,
        weight_decay=None,
        schedule=RateName.CONSTANT,
        patience=30,
        class_weights=ClassWeights.NONE,
        checkpoint=ChoiceName.LOSS,
    )
    assert (emotion.batch_size, emotion.epochs) == (32, 300)


def weight() -> nn.Parameter:
    return nn.Parameter(torch.tensor([1.0, -2.0]))


def step(optimiser: torch.optim.Optimizer, one: nn.Parameter) -> None:
    one.grad = torch.tensor([0.5, 0.25])
    optimiser.step()


@pytest.mark.parametrize("name", OptimiserName)
def test_weights_move_as_torchs_optimisers_move_them(name: OptimiserName) -> None:
    ours, theirs = weight(), weight()
    plain: dict[OptimiserName, torch.optim.Optimizer] = {
        OptimiserName.ADAMW: torch.optim.AdamW([theirs], 0.1, (0.9, 0.999), weight_decay=0.01),
        OptimiserName.ADAM: torch.optim.Adam([theirs], 0.1, (0.9, 0.999), weight_decay=0.0),
        OptimiserName.SGD: torch.optim.SGD([theirs], 0.1, momentum=0.9, weight_decay=0.0),
    }
    built = build_optimiser(Optimisation(0.1, name), [ours])
    for _ in range(3):
        step(built, ours)
        step(plain[name], theirs)
    assert ours.tolist() == pytest.approx(theirs.tolist(), rel=1e-6)


def test_a_weight_decay_that_is_given_counts() -> None:
    for name in OptimiserName:
        one, other = weight(), weight()
        step(build_optimiser(Optimisation(0.1, name, weight_decay=0.5), [one]), one)
        step(build_optimiser(Optimisation(0.1, name), [other]), other)
        assert one.tolist() != other.tolist()


@given(total=st.integers(1, 400), warm_up=st.floats(0, 1), name=st.sampled_from(RateName))
def test_rates_grow_then_fall_and_stay_within_the_full_rate(total: int, warm_up: float, name: RateName) -> None:
    factors = [RATES[name].factor(step, total, warm_up) for step in range(total)]
    assert all(0 <= factor <= 1 for factor in factors)
    if not RATES[name].warms_up:
        assert set(factors) == {1.0}
        return
    warm = max(1, round(warm_up * total))
    assert factors[:warm] == pytest.approx([(step + 1) / warm for step in range(warm)])
    assert all(later <= earlier for earlier, later in zip(factors[warm:], factors[warm + 1 :], strict=False))
    if warm < total:
        assert RATES[name].factor(total, total, warm_up) == pytest.approx(0, abs=1e-12)


def test_known_rates() -> None:
    cosine, line = RATES[RateName.WARMUP_COSINE], RATES[RateName.WARMUP_LINEAR]
    assert [cosine.factor(step, 110, 1 / 11) for step in (0, 4, 9, 10, 60, 110)] == [0.1, 0.5, 1, 1, 0.5, 0]
    assert [line.factor(step, 110, 1 / 11) for step in (0, 4, 9, 10, 60, 110)] == [0.1, 0.5, 1, 1, 0.5, 0]
    assert cosine.factor(35, 110, 1 / 11) == pytest.approx((1 + np.sqrt(0.5)) / 2)
    assert line.factor(35, 110, 1 / 11) == 0.75


def test_checkpoints_are_chosen_by_metric_loss_or_step() -> None:
    names = {"a": "accuracy", "b": "macro_f1"}
    seen = [Seen(1, {"a": 0.8, "b": 0.6}, names, None, 0.5), Seen(2, {"a": 0.7, "b": 0.9}, names, None, 0.6)]
    score = {name: [CHOICES[name].score(one) for one in seen] for name in ChoiceName}
    assert score[ChoiceName.METRIC] == pytest.approx([0.7, 0.8])
    assert score[ChoiceName.LOSS] == [-0.5, -0.6]
    assert score[ChoiceName.LAST] == [1, 2]
    compared = Seen(1, {"a": 0.8, "b": 0.6}, names, {"a": 0.8, "b": 0.8})
    assert CHOICES[ChoiceName.METRIC].score(compared) == pytest.approx(-0.25), "of the worst task"
    with pytest.raises(ValueError, match="loss on the validation split is needed"):
        CHOICES[ChoiceName.LOSS].score(compared)


def test_a_lower_error_is_better_and_its_unit_does_not_count() -> None:
    names, choose = {"a": "accuracy", "b": "mean_absolute_error"}, CHOICES[ChoiceName.METRIC].score
    for unit in (0.001, 1.0, 1000.0):
        assert choose(Seen(2, {"b": 2 * unit}, names)) > choose(Seen(1, {"b": 3 * unit}, names))
        assert choose(Seen(2, {"b": 2 * unit}, names, {"b": unit})) > choose(
            Seen(1, {"b": 3 * unit}, names, {"b": unit})
        )
        gained = choose(Seen(2, {"a": 0.8, "b": 2 * unit}, names)) - choose(Seen(1, {"a": 0.9, "b": 3 * unit}, names))
        assert gained == pytest.approx((np.log(1.5) - 0.1) / 2)
    assert np.isfinite(choose(Seen(1, {"b": 0.0}, names)))


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=12), st.integers(1, 6))
def test_patience_is_over_after_so_many_points_that_are_not_below_the_best(losses: list[float], patience: int) -> None:
    curve = [{"step": 10 * place, VALIDATION_LOSS: loss} for place, loss in enumerate(losses, start=1)]
    since = 0
    for place, loss in enumerate(losses):
        since = 0 if all(loss < earlier for earlier in losses[:place]) else since + 1
        assert is_out_of_patience(curve[: place + 1], 10 * patience) is (since >= patience)
    assert not is_out_of_patience([], 1)


def test_a_recipe_with_patience_is_evaluated_after_every_epoch() -> None:
    patient = Schedule(60, 8, Optimisation(schedule=RateName.CONSTANT, patience=4))
    assert (patient.steps(30), patient.interval(30), patient.patience(30)) == (240, 4, 16)
    hasty = Schedule(60, 8)
    assert (hasty.steps(30), hasty.interval(30), hasty.patience(30)) == (240, 16, None)


def test_no_task_can_be_called_what_the_validation_loss_is() -> None:
    assert not is_valid_name(VALIDATION_LOSS)


def test_plain_forms_are_equal_exactly_for_equal_results() -> None:
    plain = Optimisation().to_plain()
    assert Optimisation(weight_decay=0.01, warm_up=0.1, class_weights=ClassWeights.NONE).to_plain() == plain
    assert Optimisation(weight_decay=0.0).to_plain() != plain
    assert Optimisation(checkpoint=ChoiceName.LAST).to_plain() != plain
    assert Schedule(5, 8).to_plain() != Schedule(5, 8, Optimisation(1e-2)).to_plain()


# Class weights

LABELS = np.array([0] * 6 + [1] * 3 + [2] * 3 + [-1] * 5, np.int16)


def test_classes_are_weighed_if_the_metric_is_a_mean_over_them() -> None:
    assert {metric for metric in METRICS if averages_over_classes(metric)} == {
        "balanced_accuracy",
        "macro_precision",
        "macro_f1",
    }
    assert weigh_classes(ClassWeights.AUTO, "accuracy", LABELS, 3).tolist() == [1, 1, 1]
    balanced = pytest.approx([2 / 3, 4 / 3, 4 / 3])
    assert weigh_classes(ClassWeights.AUTO, "macro_f1", LABELS, 3).tolist() == balanced
    assert weigh_classes(ClassWeights.BALANCED, "accuracy", LABELS, 3).tolist() == balanced
    assert weigh_classes(ClassWeights.NONE, "macro_f1", LABELS, 3).tolist() == [1, 1, 1]
    assert weigh_classes(ClassWeights.NONE, "macro_f1", LABELS, 3).dtype == np.float32
