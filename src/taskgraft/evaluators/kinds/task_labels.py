"""What one output of an exported model means, as a bundle says it. No torch."""

from pydantic import BaseModel, ConfigDict, Field

from taskgraft.space.tasks import TaskKind


class TaskLabels(BaseModel):
    """The labels of a task's output.

    ``clip``: one probability per label. ``frames``: per time step, that the event is there. ``events``: per time step
    and label. ``tags``: that each label applies. ``value``: a number.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    kind: TaskKind
    labels: tuple[str, ...]
    event: str | None = Field(None, description="what a frames task listens for")
