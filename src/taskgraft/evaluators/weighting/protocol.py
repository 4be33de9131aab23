"""What weightings and aggregators are: plain values that a study names, and what a training makes of them.

Notation: ``k`` losses of a step, ``t`` tasks of a model.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from taskgraft.errors import Fault
from taskgraft.space.tasks import Task

if TYPE_CHECKING:  # whoever checks a study does without torch
    import torch
    from torch import Tensor, nn

    from taskgraft.evaluators.models.tree_model import TreeModel

State = Mapping[str, NDArray[Any]]
"""What a weighting has learned or seen so far, by name: arrays of fixed shapes of float64, int64 or uint8."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """The training that a weighting is made for.

    ``tasks`` are those of the model, in the order of its tree. An epoch has ``epoch_steps`` steps. Whatever a weighting
    draws follows from ``seed``; ``scaler`` scales the losses if the arithmetic needs it. ``others`` are what
    is learned beside the model's weights, if anything is.
    """

    tasks: Sequence[Task]
    model: "TreeModel"
    epoch_steps: int
    seed: int
    scaler: "torch.amp.GradScaler"
    others: "Sequence[nn.Parameter]" = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return tuple(task.name for task in self.tasks)


class Weighting(Protocol):
    """Turns the losses of a step into gradients, and keeps what it needs to know from step to step."""

    def backward(self, losses: Mapping[str, "Tensor"]) -> None:
        """Fill the gradients of all weights that the losses depend on; they have none before.

        ``losses`` are finite numbers, each with its graph, by the names of one or more of the model's tasks.
        """

    @property
    def state(self) -> State:
        """What the next step depends on; copies, or arrays that do not change."""

    def restore(self, state: State) -> None:
        """Go on from a state that `state` returned; it has the same names, types and shapes."""


class LossWeighting(BaseModel, ABC):
    """How a study weighs the losses of tasks that are trained together: a name and options."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str
    packages: ClassVar[tuple[str, ...]] = ()
    """What it imports of the extra ``aggregators``."""

    @abstractmethod
    def build(self, setting: Setting) -> Weighting:
        """Return what weighs the losses of a training."""

    def for_tasks(self, tasks: Sequence[str]) -> Self:
        """Return the same weighting without what it says of other tasks."""
        return self

    def task_faults(self, tasks: Sequence[str]) -> Iterator[Fault]:
        """Yield what does not fit the tasks of a study, each at its option."""
        yield from ()

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Return the names of its options."""
        return tuple(field for field in cls.model_fields if field != "name")

    def to_plain(self) -> Any:
        """Return plain data, equal for equal results: the name alone if there are no options."""
        return self.model_dump(mode="json") if self.options() else self.name
