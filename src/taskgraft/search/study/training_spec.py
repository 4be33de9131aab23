"""How the models of a study are trained."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, field_validator

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.recipe import MaskWidth
from taskgraft.search.study.fields import AUTO, Number, Value, Whole, WholeOrAuto
from taskgraft.search.study.noise_spec import NoiseSpec
from taskgraft.space.front_ends import AnyFrontEnd

MAX_EPOCHS = 10_000
TRUNK_SHARE = 4
"""A trunk takes one of so many parts of a training's steps, every model that starts from it the others."""
_epochs = WholeOrAuto(MAX_EPOCHS)
Epochs = Annotated[int | Literal["auto"], PlainValidator(_epochs.read), WithJsonSchema(_epochs.schema())]


class Start(StrEnum):
    """What the weights of a model are before its first step."""

    SCRATCH = "scratch"
    """Drawn by the seed."""
    TRUNK = "trunk"
    """Those of one model for each seed, which shared every block among all tasks for a quarter of the steps."""


class TrainingSpec(Value):
    """How every model of a study is trained; the same number of steps is planned for each, so that they compare."""

    epochs: Epochs = Field(
        default=AUTO,
        description="passes over the largest training split of the study; auto: as many as the baselines ask for",
    )
    start: Start = Field(
        default=Start.SCRATCH,
        description="scratch, or trunk: for each seed, all models go on from one that was trained on all tasks",
    )
    batch_size: Whole = Field(default=64, ge=2, le=4096, description="clips per dataset and step")
    learning_rate: Number = Field(default=0.001, gt=0, le=1)
    algorithm: Literal["soft"] = "soft"
    loss_weighting: Literal["sum"] = "sum"
    masking: Number = Field(
        default=0.15, ge=0, le=0.5, description="largest share of bands and of frames that is masked"
    )
    masking_width: MaskWidth = Field(
        default=MaskWidth.UNIFORM, description="uniform: masks are drawn from 0 to that share wide; fixed: just so wide"
    )
    mixup: Number = Field(
        default=0.0, ge=0, le=1, description="mixes clips and their losses by shares of Beta(mixup, mixup); 0: does not"
    )
    mixstyle: Number = Field(
        default=0.0,
        ge=0,
        le=1,
        description="chance that clips of a batch mix the mean and deviation of each band",
    )
    noise: NoiseSpec | None = Field(default=None, description="noise in every training clip; null: none")
    shift: Number = Field(
        default=0.0,
        ge=0,
        le=10,
        description="seconds by which crops move at most, and labels of frames with them; silence comes in",
    )
    clip_seconds: Number | None = Field(
        default=None,
        gt=0.1,
        le=30,
        description="length of a training crop; by default what 95 % of the clips fit into, at most 4 s",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="what models are trained on; auto: a GPU if Ray has one when the study first starts"
    )
    models_per_gpu: Whole = Field(default=4, ge=1, le=64, description="trainings that share one GPU")

    @field_validator("start")
    @classmethod
    def _is_long_enough(cls, start: Start, info: ValidationInfo) -> Start:
        """Refuse a trunk that would leave nothing to the models that start from it."""
        if start is Start.TRUNK and info.data.get("epochs") == 1:
            raise ValueError("a trunk and what starts from it take 2 epochs or more, and training.epochs is 1")
        return start

    @property
    def has_trunk(self) -> bool:
        """Whether models start from a trunk."""
        return self.start is Start.TRUNK

    def split(self, epochs: int) -> tuple[int, int]:
        """Return how many of so many epochs the trunk takes, if there is one, and how many each model that follows."""
        trunk = max(1, round(epochs / TRUNK_SHARE)) if self.has_trunk else 0
        return trunk, max(1, epochs - trunk)

    @property
    def given_epochs(self) -> int:
        """The epochs that the study says.

        Raises:
            InvalidInput: it leaves them open.
        """
        if self.epochs == AUTO:
            raise InvalidInput.at("training.epochs", f"is a whole number when a model is trained; got {AUTO}")
        return self.epochs

    def augmentation_faults(self, front_end: AnyFrontEnd) -> Iterator[tuple[str, str, object]]:
        """Yield field, rule and value of what can't be done to the rows of a front end."""
        if self.mixstyle and not front_end.has_bands:
            rule = f"is for front ends with bands, and {front_end.kind} has none: leave it out, or mix clips (mixup)"
            yield "mixstyle", rule, self.mixstyle
        if self.noise and not front_end.takes_noise:
            rule = f"is for samples and mel energies, and {front_end.kind} keeps neither: leave it out"
            yield "noise", rule, list(self.noise.snr)

    def lasting(self, epochs: int) -> Self:
        """Return the same training, of so many epochs."""
        return self.model_copy(update={"epochs": epochs})
