"""Study specifications: what a user asks for."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from taskgraft.errors import Fault, InvalidInput
from taskgraft.space.matrix import Decision
from taskgraft.space.tasks import NAME_RULE, TaskKind, is_valid_name
from taskgraft.space.template import TEMPLATES, get_template

MAX_TASKS = 64


class Strategy(StrEnum):
    """In which order pairs are tried."""

    EXHAUSTIVE = "exhaustive"
    """Every pair at every depth: the published sweep."""
    ADAPTIVE = "adaptive"
    """Every pair from the deepest depth down, up to the first that keeps the threshold: the same compatibility."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TaskSpec(_Value):
    """One question of a study: which column of which dataset."""

    name: str
    dataset: str = Field(min_length=1, max_length=1024)
    target: str = Field(min_length=1, max_length=256)
    kind: TaskKind = TaskKind.CLIP
    metric: Literal["accuracy", "balanced_accuracy", "macro_f1"] = "accuracy"

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not is_valid_name(name):
            raise ValueError(f"a task's name has {NAME_RULE}")
        return name


class TrainingSpec(_Value):
    """How every model of a study is trained; the same number of steps for each, so that they compare."""

    epochs: int = Field(default=30, ge=1, le=10_000, description="passes over the largest training split of the study")
    batch_size: int = Field(default=64, ge=2, le=4096, description="clips per dataset and step")
    learning_rate: float = Field(default=0.001, gt=0, le=1)
    algorithm: Literal["soft"] = "soft"
    loss_weighting: Literal["sum"] = "sum"
    clip_seconds: float | None = Field(
        default=None,
        gt=0.1,
        le=30,
        description="length of a training crop; by default what 95 % of the clips fit into, at most 4 s",
    )


class BudgetSpec(_Value):
    """Where to stop asking; null means no limit."""

    trials: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)


class StudySpec(_Value):
    """A study as a user writes it."""

    name: str = "study"
    ar_threshold: float = Field(ge=0, lt=1, description="Q: the accuracy reduction that is still accepted")
    tasks: tuple[TaskSpec, ...] = Field(min_length=1, max_length=MAX_TASKS)
    template: str = "cnn8"
    depths: tuple[Annotated[int, Field(ge=1)], ...] = Field((), validate_default=True)
    strategy: Strategy = Strategy.ADAPTIVE
    decision: Decision = Decision.POINT
    repeats: int = Field(1, ge=1, le=20)
    seed: int = Field(0, ge=0, lt=2**31)
    training: TrainingSpec = TrainingSpec()
    budget: BudgetSpec = BudgetSpec()

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not is_valid_name(name):
            raise ValueError(f"a study's name has {NAME_RULE}")
        return name

    @field_validator("tasks")
    @classmethod
    def _unique(cls, tasks: tuple[TaskSpec, ...]) -> tuple[TaskSpec, ...]:
        names = [task.name for task in tasks]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"task names are unique; {', '.join(repeated)} stands more than once")
        return tasks

    @field_validator("template")
    @classmethod
    def _template(cls, name: str) -> str:
        if name not in TEMPLATES:
            raise ValueError(f"there is no such template; there is {', '.join(sorted(TEMPLATES))}")
        return name

    @model_validator(mode="after")
    def _depths(self) -> Self:
        template = get_template(self.template)
        if not self.depths:
            object.__setattr__(self, "depths", template.default_depths)
        if len(set(self.depths)) != len(self.depths):
            raise ValueError(f"depths: each depth is tried once; got {list(self.depths)}")
        if max(self.depths) > template.depth:
            raise ValueError(f"depths: {template.name} has {template.depth} blocks; got {max(self.depths)}")
        return self

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names of the tasks, in the order of the study."""
        return tuple(task.name for task in self.tasks)

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read a study from plain data (of JSON or YAML).

        Raises:
            InvalidInput: with every fault at once, each naming its field, the rule and the value.
        """
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            raise InvalidInput(map(as_fault, error.errors(include_url=False))) from None

    def to_plain(self) -> dict[str, Any]:
        """Plain data that `parse` reads back."""
        return self.model_dump(mode="json")


def as_fault(error: Mapping[str, Any]) -> Fault:
    """One of pydantic's errors in our words: field, rule, value."""
    where = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if not where and ": " in message:
        where, message = message.split(": ", 1)
    if error["type"] == "missing":
        return Fault(where, "is required")
    if "; got" in message:
        return Fault(where, message)
    return Fault(where, f"{message}; got {error['input']!r:.80}")
