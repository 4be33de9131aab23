"""Trees by their first split: what a synthesized tree is compared with.

Source: the comparison of splits in the source paper's table 4 (docs/comparison.md).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from taskgraft.space.synthesis import synthesize_graph
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree, Node

if TYPE_CHECKING:
    import networkx as nx

Part = tuple[str, ...]


def first_divisions(tasks: Part) -> Iterator[tuple[Part, Part]]:
    """Yield every division of tasks in two, both parts in order and the first task in the first part.

    >>> list(first_divisions(("a", "b", "c")))
    [(('a', 'c'), ('b',)), (('a', 'b'), ('c',)), (('a',), ('b', 'c'))]
    """
    for chosen in range(2, 2 ** len(tasks), 2):
        second = tuple(task for place, task in enumerate(tasks) if chosen >> place & 1)
        yield tuple(task for task in tasks if task not in second), second


def split_tree(division: tuple[Part, Part], shared: int, graph: "nx.Graph[str]", template: Template) -> BranchTree:
    """Return the tree whose tasks all share ``shared`` blocks and then part as ``division`` says.

    Each part is synthesized from ``graph``, where nodes are tasks in order and ``weight`` is how deep a pair may share.
    A pair that may share less than ``shared`` blocks shares those nevertheless: all tasks do.
    """
    order = list(graph.nodes)
    children: list[Node] = []
    for part in division:
        child = _from_block(shared, _subtree(part, shared, graph, template).root)
        children += child.children if child.children and child.length == 0 else [child]
    children.sort(key=lambda child: order.index(child.tasks[0]))
    return BranchTree(Node(tuple(order), (0, shared), tuple(children)), template.depth)


def _subtree(part: Part, shared: int, graph: "nx.Graph[str]", template: Template) -> BranchTree:
    within = graph.subgraph(part)
    raised: nx.Graph[str] = type(graph)()
    raised.add_nodes_from(part)
    for place, first in enumerate(part):
        for second in part[place + 1 :]:
            weight = within.get_edge_data(first, second, {}).get("weight", 0)
            if depth := max(weight, shared):
                raised.add_edge(first, second, weight=depth)
    return synthesize_graph(raised, template)


def _from_block(start: int, root: Node) -> Node:
    """Return a subtree that begins at block ``start``; its root shares at least so many."""
    return Node(root.tasks, (start, root.blocks[1]), root.children)
