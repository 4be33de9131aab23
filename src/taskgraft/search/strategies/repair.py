"""Repair: what to take away from a tree that broke the threshold."""

from collections.abc import Mapping

from taskgraft.space.tree import BranchTree, Node


def repair(tree: BranchTree, reductions: Mapping[str, float]) -> BranchTree:
    """Return the tree in which the node that hurts the worst task most shares one block less.

    The worst task is the one, of those that share at all, that loses most. Of the nodes that it goes through, one hurts
    by the mean reduction of its tasks, gains counting as nothing; of nodes that hurt the same the one with fewest
    tasks, then the deepest, loses the block: that changes least for the others.

    Raises:
        InvalidInput: nothing is shared any more.
    """
    sharing = [node for node in tree.nodes() if not node.is_leaf and node.length]
    worst = max((task for node in sharing for task in node.tasks), key=reductions.__getitem__, default=None)

    def hurt(node: Node) -> tuple[float, int, int]:
        mean = sum(max(0.0, reductions[task]) for task in node.tasks) / len(node.tasks)
        return mean, -len(node.tasks), node.blocks[0]

    return tree.without_block(max((node for node in sharing if worst in node.tasks), key=hurt, default=tree.root))
