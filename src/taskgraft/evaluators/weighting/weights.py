"""The weights of a tree's parts: its nodes and heads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from taskgraft.evaluators.models.tree_model import TreeModel


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A node or a head of a tree: the tasks whose losses its weights decide."""

    tasks: tuple[str, ...]
    weights: Sequence[nn.Parameter]


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """Return the weights of a module that are not frozen."""
    return [weight for weight in module.parameters() if weight.requires_grad]


def node_parts(model: TreeModel) -> Iterator[Part]:
    """Yield every node of a tree, from its root on; what tasks share of a gate belongs to their first block's node."""
    for place, node in enumerate(model.tree.nodes()):
        gate = trainable(model.gates[str(place)]) if str(place) in model.gates else []
        yield Part(node.tasks, [*trainable(model.nodes[str(place)]), *gate])


def head_parts(model: TreeModel) -> Iterator[Part]:
    """Yield the head of every task."""
    for task, head in zip(model.tree.tasks, model.heads, strict=True):
        yield Part((task,), trainable(head))
