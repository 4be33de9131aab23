"""Recipes by name: what studies of the field say about their trainings. A new one is a line in `PRESETS`.

Sources: a study of scenes and events, 2024, and one of emotions, speakers and genders, 2021 (docs/training.md).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from taskgraft.evaluators.optimisation.checkpoints import ChoiceName
from taskgraft.evaluators.optimisation.class_weights import ClassWeights
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.optimisation.optimisers import OptimiserName
from taskgraft.evaluators.optimisation.rates import RateName


class RecipeName(StrEnum):
    """The recipes that have a name."""

    DEFAULT = "default"
    SEED_SCENES = "seed-scenes"
    SEED_EMOTION = "seed-emotion"


@dataclass(frozen=True, slots=True)
class Preset:
    """What a recipe says; ``epochs`` is None if it leaves them open."""

    optimisation: Optimisation
    batch_size: int = 64
    epochs: int | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a study's `training` that it sets."""
        length = {} if self.epochs is None else {"epochs": self.epochs}
        return {**asdict(self.optimisation), "batch_size": self.batch_size, **length}


PRESETS: Mapping[RecipeName, Preset] = MappingProxyType(
    {
        RecipeName.DEFAULT: Preset(Optimisation()),
        RecipeName.SEED_SCENES: Preset(Optimisation(class_weights=ClassWeights.NONE), batch_size=48),
        RecipeName.SEED_EMOTION: Preset(
            Optimisation(
                learning_rate=1e-5,
                optimiser=OptimiserName.ADAM,
                schedule=RateName.CONSTANT,
                patience=30,
                class_weights=ClassWeights.NONE,
                checkpoint=ChoiceName.LOSS,
            ),
            batch_size=32,
            epochs=300,
        ),
    }
)
