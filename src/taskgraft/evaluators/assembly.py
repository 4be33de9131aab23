"""Putting together one model from parts that were trained apart."""

from collections.abc import Mapping, Sequence

from safetensors.torch import load as load_tensors

from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree


def assemble_model(
    tree: BranchTree, template: Template, tasks: Mapping[str, Task], parts: Sequence[tuple[BranchTree, bytes]]
) -> TreeModel:
    """A tree's model from the weights of the trees that its root's children are (or of the tree itself), in any order.

    A part whose own root has no blocks stands for the children of that root.

    Parts share no block, so in eval mode each answers in the whole just as it did alone.

    Raises:
        ValueError: a part is no subtree of the tree.
        RuntimeError: the parts' tensors are not those of the tree.
    """
    model = TreeModel(tree, template, [tasks[name] for name in tree.tasks])
    order = list(tree.nodes())
    tensors = {}
    for part, weights in parts:
        nodes = list(part.nodes())
        for name, tensor in load_tensors(weights).items():
            kind, index, rest = name.split(".", 2)
            is_head = kind == "heads"
            moved = tree.tasks.index(part.tasks[int(index)]) if is_head else order.index(nodes[int(index)])
            tensors[f"{kind}.{moved}.{rest}"] = tensor
    model.load_state_dict(tensors)
    return model.eval()
