"""A head that learns from what other heads see, and sends its gradient back with the opposite sign.

Source: Ganin and Lempitsky, Unsupervised domain adaptation by backpropagation, 2015.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from taskgraft.evaluators.algorithms.learner import Learner
from taskgraft.evaluators.models.heads import build_head
from taskgraft.space.tasks import Task


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * slopes[0], None


def reverse(values: Tensor, factor: float) -> Tensor:
    """Return the values as they are; their gradient is minus ``factor`` times what it would be."""
    reversed_: Tensor = _Reversal.apply(values, factor)  # type: ignore[no-untyped-call]
    return reversed_


class ReversedHead(nn.Module):
    """The template's head for a task, which listens to what the heads of some other tasks see.

    The seed of the training decides its initial weights.
    """

    def __init__(self, learner: Learner, task: Task, against: Sequence[str]) -> None:
        super().__init__()
        template = learner.data.template
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(learner.seed)
            head = build_head(template.head(task), template.shapes(template.frames)[-1], task.outputs)
        self.head = head.to(learner.precision.device)
        names = learner.model.tree.tasks
        self._others = {name: learner.model.heads[names.index(name)] for name in against}

    def forward(self, encoded: Tensor, factor: float) -> Tensor:
        """Return the scores for what a head sees."""
        scores: Tensor = self.head(reverse(encoded, factor))
        return scores

    @contextmanager
    def listening(self) -> Iterator[dict[str, Tensor]]:
        """Fill what is returned with what each head sees."""
        heard: dict[str, Tensor] = {}

        def listen(name: str, inputs: tuple[Tensor, ...]) -> None:
            heard[name] = inputs[0]

        with ExitStack() as stack:
            for name, head in self._others.items():
                hook = head.register_forward_pre_hook(lambda _, inputs, name=name: listen(name, inputs))
                stack.callback(hook.remove)
            yield heard
