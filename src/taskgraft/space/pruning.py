"""How many kernel weights a pruned network has room for, and how wide one is that is pruned: plain counts.

Pruning takes kernels and matrices of blocks. Heads, biases, normalisations and learned positions stay.
"""

from collections.abc import Sequence

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import resized
from taskgraft.space.tree import BranchTree

_WIDTHS_PER_UNIT = 100
_WIDEST = 1000 * _WIDTHS_PER_UNIT


def kernel_weights(tree: BranchTree, template: Template) -> int:
    """Return how many weights of a tree can be pruned."""
    return sum(block.kernels for node in tree.nodes() for block in template.blocks[slice(*node.blocks)])


def fixed_parameters(tree: BranchTree, template: Template, tasks: Sequence[Task]) -> int:
    """Return how many parameters of a tree pruning leaves alone."""
    return (tree_cost(tree, template, tasks).parameters or 0) - kernel_weights(tree, template)


def weights_within(tree: BranchTree, template: Template, tasks: Sequence[Task], parameters: int) -> int:
    """Return how many kernel weights a tree keeps if it has so many parameters that are not 0.

    Raises:
        InvalidInput: that leaves no weight.
    """
    fixed = fixed_parameters(tree, template, tasks)
    if parameters <= fixed:
        raise InvalidInput.at(
            "size",
            f"heads, biases and normalisations alone have {fixed:,} parameters, and are not pruned; got {parameters:,}",
        )
    return parameters - fixed


def width_as_large_as_independent(template: Template, tasks: Sequence[Task]) -> float:
    """Return the least width, in hundredths, at which one network for all tasks is as large as one for each task.

    Raises:
        InvalidInput: the encoder is the user's own.
    """
    size = independent_parameters(template, tasks)
    flat = BranchTree.flat([task.name for task in tasks], template.depth, template.depth)
    low, high = round(template.width * _WIDTHS_PER_UNIT), _WIDEST
    while low < high:
        middle = (low + high) // 2
        if (tree_cost(flat, resized(template, middle / _WIDTHS_PER_UNIT), tasks).parameters or 0) < size:
            low = middle + 1
        else:
            high = middle
    return low / _WIDTHS_PER_UNIT
