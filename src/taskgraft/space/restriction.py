"""Trees of some of the tasks of a tree: what is left of a model when nobody asks it about the others."""

from collections.abc import Collection

from taskgraft.errors import InvalidInput
from taskgraft.space.tree import BranchTree, Node


def restricted(tree: BranchTree, tasks: Collection[str]) -> BranchTree:
    """Return the tree without the leaves of other tasks; every task goes through the same blocks as before.

    >>> restricted(BranchTree.flat(["a", "b", "c"], 5, 8), ["b"]) == BranchTree.flat(["b"], 8, 8)
    True

    Raises:
        InvalidInput: no task, or one that the tree does not hold.
    """
    if not tasks or not set(tasks) <= set(tree.tasks):
        raise InvalidInput.at("tasks", f"one or more of {list(tree.tasks)}; got {sorted(tasks)}")
    return BranchTree(_restricted(tree.root, frozenset(tasks)), tree.depth)


def _restricted(node: Node, tasks: frozenset[str]) -> Node:
    children = [_restricted(child, tasks) for child in node.children if tasks & set(child.tasks)]
    if len(children) == 1:  # nobody branches off here any more
        return Node(children[0].tasks, (node.blocks[0], children[0].blocks[1]), children[0].children)
    children.sort(key=lambda child: node.tasks.index(child.tasks[0]))
    return Node(tuple(task for task in node.tasks if task in tasks), node.blocks, tuple(children))
