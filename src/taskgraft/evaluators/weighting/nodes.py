"""Gradients node by node: what several tasks share gets one gradient that is made of theirs.

Notation: ``k`` losses of a node, ``p`` its weights.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from taskgraft.errors import TrainingFailed
from taskgraft.evaluators.weighting.protocol import Setting, State
from taskgraft.evaluators.weighting.weights import Part, head_parts, node_parts

Slopes = Mapping[nn.Parameter, Tensor | None]
"""The gradients of one loss by all weights; None if it does not depend on one."""


class Aggregation(Protocol):
    """A rule that makes one gradient of those of several losses."""

    def combine(self, node: int, tasks: tuple[str, ...], gradients: Tensor) -> Tensor:
        """Return the one gradient [p] for those [k, p] of the losses of some tasks, not all 0, at a node of the tree.

        Two losses or more; ``node`` is its place in the order of the tree's nodes.
        """

    @property
    def state(self) -> State:
        """What the next step depends on beside its gradients."""

    def restore(self, state: State) -> None:
        """Go on from a state."""


class NodeWeighting:
    """Aggregates at every node the gradients of exactly the losses of its tasks."""

    def __init__(self, setting: Setting, aggregation: Aggregation) -> None:
        self._model = setting.model
        self._others = setting.others
        self._scaler = setting.scaler
        self._aggregation = aggregation

    def backward(self, losses: Mapping[str, Tensor]) -> None:
        """Fill the gradients: at nodes of several of the tasks the aggregated one, elsewhere the loss's own.

        If the loss of a task depends on weights that are not on its path, its plain gradient is added there.

        Raises:
            TrainingFailed: a solver found no solution.
        """
        parts = [*self._parts()]
        slopes = self._slopes(losses, [weight for part in parts for weight in part.weights])
        for place, part in enumerate(parts):
            self._fill(place, part, slopes)

    def _parts(self) -> Iterator[Part]:
        """Yield the nodes of the tree in their order, then everything else that is learned."""
        yield from node_parts(self._model)
        yield from head_parts(self._model)
        yield Part((), [weight for weight in self._others if weight.requires_grad])

    def _slopes(self, losses: Mapping[str, Tensor], weights: Sequence[nn.Parameter]) -> dict[str, Slopes]:
        """Return the gradient of each loss, scaled as the losses are."""
        found, last = dict[str, Slopes](), [*losses][-1]
        for task, loss in losses.items():
            scaled = self._scaler.scale(loss)
            grads = torch.autograd.grad(scaled, weights, retain_graph=task != last, allow_unused=True)
            found[task] = dict(zip(weights, grads, strict=True))
        return found

    def _fill(self, place: int, part: Part, slopes: Mapping[str, Slopes]) -> None:
        tasks = tuple(task for task in part.tasks if task in slopes)
        shared = self._aggregated(place, tasks, part.weights, slopes) if len(tasks) > 1 else {}
        plain = [found for task, found in slopes.items() if len(tasks) == 1 or task not in tasks]
        for weight in part.weights:
            terms = [shared.get(weight), *(found[weight] for found in plain)]
            weight.grad = _laid_out_as(weight, [term for term in terms if term is not None])

    def _aggregated(
        self, place: int, tasks: tuple[str, ...], weights: Sequence[nn.Parameter], slopes: Mapping[str, Slopes]
    ) -> Mapping[nn.Parameter, Tensor]:
        """Return the aggregated gradient by each weight that any of the losses depends on."""
        used = [weight for weight in weights if any(slopes[task][weight] is not None for task in tasks)]
        if not used:
            return {}
        scale = self._scaler.get_scale()
        gradients = jacobian([slopes[task] for task in tasks], used) / scale  # [k, p]
        aggregated = self._combine(place, tasks, gradients) * scale  # [p]
        parts = torch.split(aggregated, [weight.numel() for weight in used])
        return {weight: part.reshape(weight.shape) for weight, part in zip(used, parts, strict=True)}

    def _combine(self, place: int, tasks: tuple[str, ...], gradients: Tensor) -> Tensor:
        """Return the aggregated gradient; the sum if it is not finite, which the scaler sees, or 0."""
        if not gradients.isfinite().all() or not gradients.any():
            return gradients.sum(0)
        try:
            return self._aggregation.combine(place, tasks, gradients)
        except Exception as error:  # of whichever solver it is
            raise TrainingFailed(f"the gradients of {', '.join(tasks)} can't be aggregated: {error}") from error

    @property
    def state(self) -> State:
        """That of the rule."""
        return self._aggregation.state

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._aggregation.restore(state)


def jacobian(slopes: Sequence[Slopes], weights: Sequence[nn.Parameter]) -> Tensor:
    """Return the gradients [k, p] of losses by some weights; 0 if a loss does not depend on one."""
    rows = [[_or_zeros(row[weight], weight).flatten() for weight in weights] for row in slopes]
    return torch.stack([torch.cat(row) for row in rows])


def _or_zeros(slope: Tensor | None, weight: nn.Parameter) -> Tensor:
    return torch.zeros_like(weight, requires_grad=False) if slope is None else slope


def _laid_out_as(weight: nn.Parameter, terms: Sequence[Tensor]) -> Tensor | None:
    """Return the sum in the weight's own layout: fused optimisers go through the memory of both side by side."""
    if not terms:
        return None
    slope = terms[0] if len(terms) == 1 else torch.stack([*terms]).sum(0)
    return slope if slope.stride() == weight.stride() else torch.empty_like(weight, requires_grad=False).copy_(slope)
