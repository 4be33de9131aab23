"""Weights that do not change: the sum of the losses, their mean, and a given weight for each task."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from taskgraft.errors import Fault
from taskgraft.evaluators.weighting.factors import Memoryless
from taskgraft.evaluators.weighting.protocol import LossWeighting, Setting, Weighting


class Sum(LossWeighting):
    """Every loss counts once."""

    name: Literal["sum"] = "sum"

    def build(self, setting: Setting) -> Weighting:
        """Return a weighting without state."""
        from taskgraft.evaluators.weighting.scalar import PlainSum  # noqa: PLC0415  # torch is for trainings

        return PlainSum(setting)


class Mean(LossWeighting):
    """The mean over the losses of a step."""

    name: Literal["mean"] = "mean"

    def build(self, setting: Setting) -> Weighting:
        """Return a weighting without state."""
        from taskgraft.evaluators.weighting.scalar import ScalarWeighting  # noqa: PLC0415

        return ScalarWeighting(setting, _EqualShares())


class Fixed(LossWeighting):
    """A weight for each task of the study."""

    name: Literal["fixed"] = "fixed"
    weights: Mapping[str, Annotated[float, Field(gt=0)]] = Field(description="the weight of each task")

    def build(self, setting: Setting) -> Weighting:
        """Return a weighting without state."""
        from taskgraft.evaluators.weighting.scalar import ScalarWeighting  # noqa: PLC0415

        return ScalarWeighting(setting, _Given(np.array([self.weights[name] for name in setting.names], np.float64)))

    def __hash__(self) -> int:
        return hash((self.name, *sorted(self.weights.items())))

    def for_tasks(self, tasks: Sequence[str]) -> Self:
        """Return the weights of some tasks."""
        return type(self)(weights={task: self.weights[task] for task in sorted(tasks)})

    def task_faults(self, tasks: Sequence[str]) -> Iterator[Fault]:
        """Yield the tasks that have no weight, and weights of no task."""
        for task in tasks:
            if task not in self.weights:
                yield Fault(f"weights.{task}", "is required: each task of the study has a weight; got none")
        for task, weight in self.weights.items():
            if task not in tasks:
                yield Fault(f"weights.{task}", f"the study has no such task; got {weight:g}")


class _EqualShares(Memoryless):
    def weigh(self, places: NDArray[np.intp], losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 1 / k for each loss."""
        return np.full(len(losses), 1 / len(losses))


class _Given(Memoryless):
    def __init__(self, weights: NDArray[np.float64]) -> None:
        self._weights = weights

    def weigh(self, places: NDArray[np.intp], losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights of the tasks."""
        return self._weights[places]
