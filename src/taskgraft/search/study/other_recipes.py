"""Other recipes than a study's own: a preset's name, or the fields of `training` that differ, as canonical JSON."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from taskgraft.errors import Fault, InvalidInput
from taskgraft.search.study.recipe_text import recipe_of
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.training_spec import TrainingSpec

_OF_THE_STUDY = ("recipe", "epochs", "start", "clip_seconds", "device", "models_per_gpu")
"""Fields that all trainings of a study have in common: its data, its steps and its machines depend on them."""


@lru_cache(maxsize=256)  # plans and forecasts of comparisons ask again and again
def training_under(spec: StudySpec, recipe: str | None) -> TrainingSpec:
    """Return how a study trains by another recipe, for as long as it says itself; by its own if None is given.

    Fields are read like those of a study file: they have to fit the tasks and each other.

    Raises:
        InvalidInput: there is no such recipe, or what it says makes no sense; at ``recipe`` or at the study's fields.
    """
    if recipe is None or not recipe.startswith("{"):
        return spec.training.under(recipe)
    plain = spec.to_plain()
    made = spec.parse({**plain, "training": {**plain["training"], **_fields(recipe)}}).training
    _check_nuisance(made, spec)
    return made


def _fields(recipe: str) -> Mapping[str, Any]:
    """Return the fields of a recipe.

    Raises:
        InvalidInput: at ``recipe``: it is not what `recipe_of` writes; at a field that all trainings have in common.
    """
    try:
        fields: dict[str, Any] = json.loads(recipe)
        is_canonical = recipe_of(fields) == recipe
    except ValueError:  # text that is no JSON, or infinite numbers
        is_canonical = False
    if not is_canonical:
        raise InvalidInput.at(
            "recipe", f"a preset's name, or a JSON object with sorted keys, compact; got {recipe!r:.80}"
        )
    if common := [name for name in fields if name in _OF_THE_STUDY]:
        raise InvalidInput(
            Fault(f"recipe.{name}", f"is the same for all trainings of a study; got {fields[name]!r:.80}")
            for name in common
        )
    return fields


def _check_nuisance(made: TrainingSpec, spec: StudySpec) -> None:
    """Refuse to train against a label that the study has not read."""
    label = made.algorithm.nuisance_label
    if label not in (None, spec.training.algorithm.nuisance_label, spec.nuisance):
        rule = "is a label that the study's own algorithm, or its comparison, trains against, since no other is read"
        raise InvalidInput.at("training.algorithm.nuisance", f"{rule}; got {label[0] if label else None}")
