"""Synthesis by brute force, told as the method tells it: what the fast ways in `synthesis` are proved against.

The method's tree is looked for among all splits of every set, 2^(n-1) - 1 of n tasks: for about eight tasks at most.
The smallest tree is looked for among all trees: for about five. Nothing is shared with the fast ways but the values
that go in and come out.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, product

import networkx as nx

from taskgraft.space.matrix import ReductionMatrix
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree, Node

Part = tuple[str, ...]


def exhaustive_tree(graph: "nx.Graph[str]", template: Template, matrix: ReductionMatrix | None = None) -> BranchTree:
    """Return what `synthesize_graph` has to find for a few tasks: the same arguments, the same tree."""
    oracle = _Oracle(graph, template, matrix)
    return BranchTree(oracle.grow(tuple(graph), 0), template.depth)


def smallest_tree(graph: "nx.Graph[str]", template: Template, matrix: ReductionMatrix | None = None) -> BranchTree:
    """Return what exact synthesis has to find for a few tasks: the same arguments, the same tree."""
    allowed = (
        tree
        for tree in all_trees(tuple(graph), template.depth)
        if all(node.blocks[1] <= smallest_inside(graph, node.tasks) for node in tree.nodes())
    )
    return min(allowed, key=lambda tree: (*_Oracle(graph, template, matrix).cost(tree.root), _order(tree)))


def _order(tree: BranchTree) -> list[list[bool]]:
    """Return the sort key, by block and first task: which of all tasks are missing in every part."""
    return [
        [task not in node.tasks for task in tree.tasks]
        for block in range(tree.depth)
        for node in tree.nodes()
        if block in range(*node.blocks)
    ]


def all_trees(tasks: Part, depth: int) -> Iterator[BranchTree]:
    """Yield every tree over ``tasks`` once."""
    return (BranchTree(root, depth) for root in _nodes(tasks, 0, 0, depth))


def _nodes(tasks: Part, start: int, first_stop: int, depth: int) -> Iterator[Node]:
    if len(tasks) == 1:
        yield Node(tasks, (start, depth))
        return
    for stop in range(first_stop, depth):
        for parts in partitions(tasks):
            if len(parts) > 1:
                below = [list(_nodes(part, stop, stop + 1, depth)) for part in parts]
                yield from (Node(tasks, (start, stop), children) for children in product(*below))
    yield Node(tasks, (start, depth), tuple(Node((task,), (depth, depth)) for task in tasks))


def partitions(tasks: Part) -> Iterator[tuple[Part, ...]]:
    """Yield every division of ``tasks`` into any number of parts once, in the order of their first tasks.

    >>> list(partitions(("a", "b")))
    [(('a',), ('b',)), (('a', 'b'),)]
    """
    if not tasks:
        yield ()
        return
    first, others = tasks[0], tasks[1:]
    for size in range(len(tasks)):
        for joining in combinations(others, size):
            left = tuple(task for task in others if task not in joining)
            yield from (((first, *joining), *parts) for parts in partitions(left))


def splits(tasks: Part) -> Iterator[tuple[Part, Part]]:
    """Yield every division of ``tasks`` in two once: the first task is always in the first part."""
    for second in product((False, True), repeat=len(tasks) - 1):
        sides = (False, *second)
        if any(sides):
            yield (
                tuple(task for task, side in zip(tasks, sides, strict=True) if not side),
                tuple(task for task, side in zip(tasks, sides, strict=True) if side),
            )


def smallest_inside(graph: "nx.Graph[str]", part: Part) -> float:
    """Return the smallest weight inside a part; infinite for a single task."""
    return min((graph.get_edge_data(*pair, {}).get("weight", 0) for pair in combinations(part, 2)), default=math.inf)


class _Oracle:
    def __init__(self, graph: "nx.Graph[str]", template: Template, matrix: ReductionMatrix | None) -> None:
        self._graph = graph
        self._template = template
        self._matrix = matrix

    def grow(self, tasks: Part, start: int) -> Node:
        if len(tasks) == 1:
            return Node(tasks, (start, self._template.depth))
        shared = self._smallest(tasks)
        best = max(self._value(split) for split in splits(tasks))
        if best <= shared:
            return self._join(tasks, start, self._linkage(tasks, shared))
        trees = [(self._join(tasks, start, split), split) for split in splits(tasks) if self._value(split) == best]
        return min(trees, key=lambda tree: self._rank(*tree))[0]

    def _smallest(self, tasks: Part) -> int:
        return min(int(smallest_inside(self._graph, tasks)), self._template.depth)

    def _value(self, split: tuple[Part, Part]) -> float:
        """Return the value of rule (a); weights beyond the template count as its depth."""
        smallest = (smallest_inside(self._graph, part) for part in split)
        return min(value if math.isinf(value) else min(value, self._template.depth) for value in smallest)

    def _rank(self, node: Node, split: tuple[Part, Part]) -> tuple[int, int, float, list[bool]]:
        """Return the rank by rules (b) to (e)."""
        parameters, reduction = self.cost(node)
        return parameters, max(map(len, split)), reduction, [task in split[1] for task in node.tasks]

    def cost(self, node: Node) -> tuple[int, float]:
        """Return the encoder parameters of a subtree, and the sum of AR over its pairs."""
        parameters = sum(sum(self._template.block_parameters[slice(*below.blocks)]) for below in node.walk())
        reduction = sum(self._reduction(node, *pair) for pair in combinations(node.tasks, 2))
        return parameters, round(reduction, 12)

    def _reduction(self, node: Node, first: str, second: str) -> float:
        depth = max(below.blocks[1] for below in node.walk() if {first, second} <= set(below.tasks))
        cell = self._matrix.cell(first, second, depth) if self._matrix and depth else None
        return cell.ar if cell else 0.0

    def _join(self, tasks: Part, start: int, parts: Sequence[Part]) -> Node:
        shared = self._smallest(tasks)
        children: list[Node] = []
        for part in parts:
            child = self.grow(part, shared)
            children.extend(child.children if child.children and not child.length else [child])
        children.sort(key=lambda child: tasks.index(child.tasks[0]))
        return Node(tasks, (start, shared), tuple(children))

    def _linkage(self, tasks: Part, floor: int) -> list[Part]:
        groups: list[Part] = [(task,) for task in tasks]
        while joins := [pair for pair in combinations(groups, 2) if self._link(*pair) > floor]:
            kept, gone = max(joins, key=lambda pair: (self._link(*pair), self._common(pair, groups, floor)))
            groups[groups.index(kept)] = tuple(sorted(kept + gone, key=tasks.index))
            groups.remove(gone)
        return groups

    def _link(self, first: Part, second: Part) -> int:
        return min(self._smallest(pair) for pair in product(first, second))

    def _common(self, pair: tuple[Part, Part], groups: list[Part], floor: int) -> int:
        others = [group for group in groups if group not in pair]
        return sum(all(self._link(part, other) > floor for part in pair) for other in others)
