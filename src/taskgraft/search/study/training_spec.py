"""How the models of a study are trained."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.algorithms.distil import Distil
from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.optimisation.checkpoints import ChoiceName
from taskgraft.evaluators.optimisation.class_weights import ClassWeights
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.optimisation.optimisers import OptimiserName
from taskgraft.evaluators.optimisation.presets import PRESETS, RecipeName
from taskgraft.evaluators.optimisation.rates import RateName
from taskgraft.evaluators.recipe import MaskWidth
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.weighting.plain import Sum
from taskgraft.search.study.algorithm_field import AlgorithmField
from taskgraft.search.study.fields import AUTO, Number, Value, Whole, WholeOrAuto, fault_at
from taskgraft.search.study.noise_spec import NoiseSpec
from taskgraft.search.study.weighting_spec import AnyWeighting
from taskgraft.space.front_ends import AnyFrontEnd
from taskgraft.space.tasks import TaskKind

MAX_EPOCHS = 10_000
TAUGHT = Distil.name
"""The recipe of single trainings that differ from their study in nothing but that baselines teach them."""
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
    """How every model of a study is trained; the same number of steps is planned for each, so that they compare.

    What a study does not say is that of the recipe that it names.
    """

    recipe: RecipeName = Field(
        default=RecipeName.DEFAULT, description="what the fields below are if the study does not say them"
    )
    epochs: Epochs = Field(
        default=AUTO,
        description="passes over the largest training split of the study; auto: as many as the baselines ask for",
    )
    start: Start = Field(
        default=Start.SCRATCH,
        description="scratch, or trunk: for each seed, all models go on from one that was trained on all tasks",
    )
    batch_size: Whole = Field(default=64, ge=2, le=4096, description="clips per dataset and step")
    optimiser: OptimiserName = Field(default=OptimiserName.ADAMW, description="sgd has momentum 0.9")
    learning_rate: Number = Field(default=0.001, gt=0, le=1)
    weight_decay: Number | None = Field(default=None, ge=0, le=1, description="by default 0.01 for adamw, otherwise 0")
    schedule: RateName = Field(
        default=RateName.WARMUP_COSINE, description="what the learning rate does over the planned steps"
    )
    warm_up: Number | None = Field(
        default=None, ge=0, le=1, description="share of the planned steps over which the rate grows; by default 0.1"
    )
    patience: Whole | None = Field(
        default=None,
        ge=1,
        description="ends a training after so many epochs without a lower validation loss; needs a constant rate",
    )
    class_weights: ClassWeights = Field(
        default=ClassWeights.AUTO,
        description="balanced: rare classes count more in the loss; auto: for metrics that are means over classes",
    )
    checkpoint: ChoiceName = Field(
        default=ChoiceName.METRIC,
        description="which one is the result: the best by metric, the one with the lowest validation loss, or the last",
    )
    algorithm: AlgorithmField = Field(
        default=SOFT,
        description="what a step trains: a name, or an object with a name and the algorithm's own options",
        json_schema_extra={"default": SOFT.name},
    )
    loss_weighting: AnyWeighting = Field(
        default_factory=Sum,
        description="how the losses of tasks that are trained together count: a name, or a name and its options",
        json_schema_extra={"default": "sum"},
    )
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

    @model_validator(mode="before")
    @classmethod
    def _with_recipe(cls, given: Any) -> Any:
        """Take from the named recipe what is not given; an unknown name is refused with the other fields."""
        named = given.get("recipe") if isinstance(given, dict) else None
        if not isinstance(named, str) or named not in PRESETS:
            return given
        return {**PRESETS[RecipeName(named)].fields, **given}

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        """Refuse fields that contradict each other, each at its place."""
        try:
            optimisation = self.optimisation
        except InvalidInput as error:
            faults = list(error.faults)
        else:
            faults = [*self._patience_faults(optimisation.patience), *self._phase_faults()]
        if faults:
            raise ValidationError.from_exception_data(
                "training", [fault_at((one.where,), one.message, getattr(self, one.where)) for one in faults]
            )
        return self

    def _patience_faults(self, patience: int | None) -> Iterator[Fault]:
        if patience is None:
            return
        if self.epochs == AUTO:
            yield Fault("patience", f"ends trainings of a given length: give training.epochs, too; got {patience}")
        elif patience >= self.given_epochs:
            yield Fault("patience", f"is shorter than the {self.epochs} epochs of training.epochs; got {patience}")

    def _phase_faults(self) -> Iterator[Fault]:
        if not self.algorithm.has_phases:
            return
        trains = f"algorithm {self.algorithm.name} trains one task after the other"
        if self.patience is not None:
            yield Fault("patience", f"{trains}, each for all planned steps: leave it out; got {self.patience}")
        if self.has_trunk:
            yield Fault("start", f"{trains}, and the first one from scratch: leave it out; got {self.start.value}")

    @property
    def optimisation(self) -> Optimisation:
        """How the weights are learned.

        Raises:
            InvalidInput: what is said contradicts itself.
        """
        return Optimisation(
            self.learning_rate,
            self.optimiser,
            self.weight_decay,
            self.schedule,
            self.warm_up,
            self.patience,
            self.class_weights,
            self.checkpoint,
        )

    def schedule_for(self, epochs: int | None = None) -> Schedule:
        """Return how models are trained, for so many ``epochs`` if the study leaves that open.

        Raises:
            InvalidInput: the study leaves it open, and ``epochs`` are not given.
        """
        return Schedule(
            epochs or self.given_epochs,
            self.batch_size,
            self.optimisation,
            self.masking,
            self.masking_width,
            self.mixup,
            self.mixstyle,
            noise=self.noise.snr if self.noise else None,
            shift=self.shift,
            algorithm=self.algorithm,
            weighting=self.loss_weighting,
        )

    def under(self, recipe: str | None) -> Self:
        """Return the same training by another recipe, for as long as the study says; this one if None is given.

        `TAUGHT` is this recipe with the algorithm ``distil``.

        Raises:
            InvalidInput: there is no such recipe.
        """
        if recipe is None:
            return self
        if recipe == TAUGHT:
            return self.model_copy(update={"algorithm": Distil()})
        if recipe not in PRESETS:
            raise InvalidInput.at("recipe", f"there is {', '.join((*PRESETS, TAUGHT))}; got {recipe!r}")
        fields = {name: value for name, value in PRESETS[RecipeName(recipe)].fields.items() if name != "epochs"}
        return self.model_copy(update={"recipe": RecipeName(recipe), **fields})

    @property
    def gives_up(self) -> bool:
        """Whether a model may be given up since its tasks can't gain enough any more, by what their baselines gained.

        Baselines that ended by their patience do not tell, and neither do those of tasks that learn at another pace.
        """
        return self.patience is None and self.algorithm.is_like_alone

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

    def augmentation_faults(self, front_end: AnyFrontEnd) -> Iterator[tuple[tuple[str, ...], str, object]]:
        """Yield field, rule and value of what can't be done to the rows of a front end."""
        if self.mixstyle and not front_end.has_bands:
            rule = f"is for front ends with bands, and {front_end.kind} has none: leave it out, or mix clips (mixup)"
            yield ("mixstyle",), rule, self.mixstyle
        if self.noise and not front_end.takes_noise:
            rule = f"is for samples and mel energies, and {front_end.kind} keeps neither: leave it out"
            yield ("noise",), rule, list(self.noise.snr)

    def algorithm_faults(self, tasks: Mapping[str, TaskKind]) -> Iterator[tuple[tuple[str, ...], str, object]]:
        """Yield field, rule and value of why the algorithm can't train models of these tasks."""
        for fault in self.algorithm.faults(tasks):
            yield ("algorithm", *filter(None, [fault.where])), fault.message, self.algorithm.to_plain()

    def weighting_faults(self, tasks: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield place and rule of what the weighting says that does not fit the tasks of a study."""
        for fault in self.loss_weighting.task_faults(tasks):
            yield ("loss_weighting", *fault.where.split(".", 1)), fault.message

    def lasting(self, epochs: int) -> Self:
        """Return the same training, of so many epochs."""
        return self.model_copy(update={"epochs": epochs})
