"""Tasks of a study, as a user writes them."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.metrics import METRICS, check_metric, metrics_of
from taskgraft.search.study.fields import NameOrNames, Value
from taskgraft.space.named_heads import NAMED_HEADS, check_named_head
from taskgraft.space.tasks import NAME_PATTERN, NAME_RULE, Task, TaskKind, is_valid_name

MAX_TARGETS = 64
"""Events or tags of one task."""
_target = NameOrNames(256, MAX_TARGETS)
_Target = Annotated[str | tuple[str, ...], BeforeValidator(_target.read), WithJsonSchema(_target.schema())]


def _one_of_the_metrics(schema: dict[str, Any]) -> None:
    """Describe a metric whose default is not the empty text that stands for it in the model."""
    schema["enum"] = list(METRICS)
    del schema["default"]


def _one_of_the_heads(schema: dict[str, Any]) -> None:
    """Describe the name of a head, or null."""
    schema["enum"] = [*NAMED_HEADS, None]


class TaskSpec(Value):
    """One question of a study: which column of which dataset."""

    name: str = Field(description=NAME_RULE, json_schema_extra={"pattern": NAME_PATTERN})
    dataset: str = Field(min_length=1, max_length=1024)
    target: _Target = Field(description="a label column or an event; tags and events tasks may have several of them")
    kind: TaskKind = TaskKind.CLIP
    metric: str = Field(
        "",
        validate_default=True,
        description="one that fits the kind; by default accuracy, of events event_f1, of values concordance",
        json_schema_extra=_one_of_the_metrics,
    )
    head: str | None = Field(
        None,
        description="another head than the template's, by name",
        exclude_if=lambda name: name is None,
        json_schema_extra=_one_of_the_heads,
    )

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not is_valid_name(name):
            raise ValueError(f"a task's name has {NAME_RULE}")
        return name

    @field_validator("metric")
    @classmethod
    def _metric(cls, metric: str, info: ValidationInfo) -> str:
        """Take the first metric of the kind if none is given; refuse one that is unknown or does not fit the kind."""
        if "kind" in info.data:
            if not metric:
                return metrics_of(info.data["kind"])[0]
            try:
                check_metric(metric, info.data["kind"])
            except InvalidInput as error:
                raise ValueError(error.faults[0].message) from None
        return metric

    @field_validator("head")
    @classmethod
    def _head(cls, name: str | None, info: ValidationInfo) -> str | None:
        """Refuse a head that does not answer this kind of task."""
        if name and "kind" in info.data:
            try:
                check_named_head(name, info.data["kind"])
            except InvalidInput as error:
                raise ValueError(error.faults[0].message) from None
        return name

    def to_task(self, classes: int) -> Task:
        """Return the task as the search space sees it."""
        return Task(self.name, self.kind, classes, self.head)
