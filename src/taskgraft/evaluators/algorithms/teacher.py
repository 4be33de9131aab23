"""Teachers: models that are the moving average of another one, and how much they count.

Sources: Tarvainen and Valpola, Mean teachers are better role models, 2017; the average and the ramp are those of the
baseline of DCASE 2023 task 4.
"""

import math
from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor

from taskgraft.evaluators.models.tree_model import TreeModel

MOST_KEPT = 0.999
_RAMP_SHARE, _STEEPNESS = 0.25, 5.0


def kept_share(number: int) -> float:
    """Return how much of the teacher stays as it is after a step, counted from 0."""
    return min(1 - 1 / (number + 1), MOST_KEPT)


def ramp(number: int, planned: int) -> float:
    """Return how much of its full weight a teacher has at a step: exp(-5 (1 - t)^2), t over a quarter of the steps.

    >>> ramp(0, 100), ramp(25, 100)
    (0.006737946999085467, 1.0)
    """
    done = min(1.0, number / (_RAMP_SHARE * planned))
    return math.exp(-_STEEPNESS * (1 - done) ** 2)


class Teacher:
    """A model whose weights and running statistics are the average of a student's over its steps.

    It answers as in an evaluation: by its running statistics, without dropout.
    """

    def __init__(self, student: TreeModel) -> None:
        self._student = student
        self.model = deepcopy(student).eval().requires_grad_(False)

    @torch.no_grad()
    def follow(self, number: int) -> None:
        """Take in the student after a step."""
        share = kept_share(number)
        for mine, theirs in zip(self.model.state_dict().values(), self._student.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.mul_(share).add_(theirs, alpha=1 - share)
            else:
                mine.copy_(theirs)

    def tensors(self) -> dict[str, Tensor]:
        """Return its weights and running statistics."""
        return {f"teacher.{name}": tensor for name, tensor in self.model.state_dict().items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` returned."""
        self.model.load_state_dict({name.removeprefix("teacher."): tensor for name, tensor in tensors.items()})
