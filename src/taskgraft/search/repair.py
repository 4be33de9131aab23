"""Repair: what to take away from a tree that broke the threshold."""

from collections.abc import Mapping

from taskgraft.space.tree import BranchTree, Node


def repair(tree: BranchTree, reductions: Mapping[str, float]) -> BranchTree:
    """The tree in which the node that hurts most shares one block less.

    A node hurts by the mean reduction of its tasks, gains counting as nothing; of nodes that hurt the same the one with
    fewest tasks, then the deepest, loses the block: that changes least for the others.

    Raises:
        InvalidInput: nothing is shared any more.
    """
    sharing = [node for node in tree.nodes() if not node.is_leaf and node.length]

    def hurt(node: Node) -> tuple[float, int, int]:
        mean = sum(max(0.0, reductions[task]) for task in node.tasks) / len(node.tasks)
        return mean, -len(node.tasks), node.blocks[0]

    return tree.without_block(max(sharing, key=hurt, default=tree.root))
