"""``soft-sharing``: blocks that tasks do not share are held close to each other, or apart.

A tree that shares 0 blocks has one column of blocks for each task; in any other tree, the blocks that are shared have
no penalty. ``l2``: strength times the sum over blocks and tasks of ||W_t - mean W||^2, over all weights of a block
(Duong et al. 2015). ``orthogonal``: strength times the sum over blocks and pairs of tasks of ||W_s^T W_t||_F^2, over
matrices and kernels, whose rows are their outputs (Bousmalis et al. 2016, who do so with what layers put out). A task's
loss has its own terms, and half of those of each of its pairs.

Source: a blog about multi-task speech models. It names no strength: 0.001 is our choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.options import Amount, OneOf, Option
from taskgraft.evaluators.algorithms.steps import PlainSteps

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.algorithms.learner import Learner, Step

FORMS = ("l2", "orthogonal")


@dataclass(frozen=True, slots=True)
class SoftSharing(Algorithm):
    """Trains all tasks in every step, with a penalty on how the weights of their own blocks differ."""

    form: str = "l2"
    strength: float = 1e-3
    name = "soft-sharing"
    options: ClassVar[Mapping[str, Option]] = {"form": OneOf(FORMS), "strength": Amount(100)}

    def begin(self, learner: "Learner") -> PlainSteps:
        """Return its steps."""
        if not self.strength or len(learner.names) == 1:
            return PlainSteps(learner)
        return SoftSharingSteps(learner, self.form, self.strength)


class SoftSharingSteps(PlainSteps):
    """One batch of every task in every step, and a penalty for each task."""

    def __init__(self, learner: "Learner", form: str, strength: float) -> None:
        from taskgraft.evaluators.algorithms import penalties  # noqa: PLC0415  # needs torch

        super().__init__(learner)
        self._columns = penalties.columns(learner.model)
        self._penalties = penalties.PENALTIES[form]
        self._strength = strength

    def losses(self, step: "Step") -> "Mapping[str, Tensor]":
        """Return the losses with their penalties."""
        own, penalties = super().losses(step), self._penalties(self._columns)
        return {
            task: loss + self._strength * penalties[task] if task in penalties else loss for task, loss in own.items()
        }
