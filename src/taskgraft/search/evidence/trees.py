"""Trees as decisions see them: the parts that are trained one by one, and the flat trees that are asked about."""

from collections.abc import Iterable, Sequence
from functools import cache

from taskgraft.space.tree import BranchTree, Node


def components(tree: BranchTree) -> tuple[BranchTree, ...]:
    """Return the trees that a tree falls into if its root shares nothing; otherwise the tree itself.

    Trees that share no block do not influence each other, so they are trained and measured one by one: a task that
    ends up alone is its baseline, two tasks that end up together are the pair that was trained already.
    """
    if tree.root.length or tree.root.is_leaf:
        return (tree,)
    return tuple(BranchTree(child, tree.depth) for child in tree.root.children)


def shared_parts(tree: BranchTree) -> tuple[BranchTree, ...]:
    """Return the components of several tasks; a task alone is its own baseline and loses nothing."""
    return tuple(part for part in components(tree) if len(part.tasks) > 1)


@cache
def flat_tree(tasks: tuple[str, ...], shared: int, depth: int) -> BranchTree:
    """Return a flat tree; cached, since every decision looks up baselines and pairs, and making a tree is slower."""
    return BranchTree.flat(tasks, shared, depth)


def side_by_side(groups: Iterable[BranchTree], tasks: Sequence[str], blocks: int) -> BranchTree:
    """Return the tree in which groups share nothing with each other; tasks that are in none of them share nothing."""
    place = {task: index for index, task in enumerate(tasks)}
    nodes: list[Node] = []
    for group in groups:
        nodes += [group.root] if group.root.length else group.root.children
    grouped = {task for node in nodes for task in node.tasks}
    nodes += [Node((task,), (0, blocks)) for task in tasks if task not in grouped]
    if len(nodes) == 1:
        return BranchTree(nodes[0], blocks)
    return BranchTree(Node(tuple(tasks), (0, 0), tuple(sorted(nodes, key=lambda node: place[node.tasks[0]]))), blocks)
