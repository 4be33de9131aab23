"""How one candidate tree becomes the next: tasks leave a node, nodes are joined, trees grow by linkage.

Pure functions of nodes. A forest is a list of nodes that start at block 0 and share nothing with each other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from taskgraft.space.tree import Node

Floats = NDArray[np.float64]
_Number = TypeVar("_Number", np.int_, np.float64)


@dataclass(frozen=True, slots=True)
class Moves:
    """Makes nodes of tasks, by their ``place`` in the study; ``depths`` are ascending, ``blocks`` the template's."""

    place: Mapping[str, int]
    depths: tuple[int, ...]
    blocks: int

    # Nodes

    def leaf(self, task: str, start: int = 0) -> Node:
        """Return the node of a task that shares nothing from block ``start`` on."""
        return Node((task,), (start, self.blocks))

    def flat(self, tasks: Iterable[str], start: int, stop: int) -> Node:
        """Return the node of tasks that share the blocks from ``start`` to ``stop``."""
        return self.node(start, stop, [self.leaf(task, stop) for task in tasks])

    def node(self, start: int, stop: int, children: Iterable[Node]) -> Node:
        """Return the node over some children; a child without blocks gives way to its own, an only child takes over."""
        held: list[Node] = []
        for child in children:
            held += [child] if child.is_leaf or child.length else child.children
        if len(held) == 1:
            return starting_at(held[0], start)
        held.sort(key=lambda child: self.place[child.tasks[0]])
        tasks = sorted((task for child in held for task in child.tasks), key=self.place.__getitem__)
        return Node(tuple(tasks), (start, stop), tuple(held))

    def shared(self, node: Node) -> Floats:
        """Return [n, n] how much every two tasks share, as the share of the tried depths that it reaches."""
        return np.searchsorted(self.depths, shared_blocks(node, self.place), side="right") / len(self.depths)

    # Tasks leave

    def peeled(self, node: Node, losers: frozenset[str]) -> list[Node]:
        """Return what becomes of a node when the tasks that lose leave what they share last, together.

        They go on beside those that stay, on a trunk half as deep if there is a tried depth, else apart.
        """
        if node.is_leaf:
            return [node]
        start, stop = node.blocks
        leaving = [child.tasks[0] for child in node.children if child.is_leaf and child.tasks[0] in losers]
        staying: list[Node] = []
        for child in node.children:
            if child.is_leaf:
                staying += [child] * (child.tasks[0] not in leaving)
            else:
                staying += self.peeled(child, losers)
        if not leaving or not staying:
            return [self.node(start, stop, staying or node.children)]
        return self._on_trunk([self.node(start, stop, staying), self.flat(leaving, start, stop)], start, stop)

    def _on_trunk(self, parts: list[Node], start: int, stop: int) -> list[Node]:
        between = [depth for depth in self.depths if start < depth < stop]
        if not between:
            return parts
        trunk = between[len(between) // 2]
        return [self.node(start, trunk, [starting_at(part, trunk) for part in parts])]

    # Nodes are joined

    def joined(self, first: Node, second: Node, depth: int) -> Node | None:
        """Return two nodes on one trunk that ends at ``depth``; None if one of them branches before."""
        children: list[Node] = []
        for node in (first, second):
            if not node.is_leaf and node.blocks[1] < depth:
                return None
            children += node.children if node.blocks[1] == depth and not node.is_leaf else [starting_at(node, depth)]
        return self.node(first.blocks[0], depth, children)

    def joins(self, node: Node) -> Iterator[tuple[int, tuple[Node, Node, int]]]:
        """Yield what `joins_of` does for the children of a node and of those below, each after where they start."""
        for inner in node.walk():
            for pair in self.joins_of(inner.children, inner.blocks[1]):
                yield inner.blocks[1], pair

    def joins_of(self, children: Sequence[Node], start: int) -> Iterator[tuple[Node, Node, int]]:
        """Yield every two of some nodes that start at one block, with each depth at which they may be joined."""
        for first, second in combinations(children, 2):
            ends = [child.blocks[1] for child in (first, second) if not child.is_leaf]
            for depth in self.depths:
                if start < depth <= min(ends, default=self.blocks):
                    yield first, second, depth

    def with_join(self, node: Node, first: Node, second: Node, depth: int) -> Node:
        """Return a node in which two children, of it or of a node below, are joined."""
        if first in node.children and second in node.children:
            rest = [child for child in node.children if child not in (first, second)]
            joined = self.joined(first, second, depth)
            assert joined is not None, "joins yields depths at which both go on"
            if not rest:
                return Node(node.tasks, (node.blocks[0], joined.blocks[1]), joined.children)
            return self.node(*node.blocks, [*rest, joined])
        children = [
            self.with_join(child, first, second, depth) if set(first.tasks) <= set(child.tasks) else child
            for child in node.children
        ]
        return self.node(*node.blocks, children)

    # Linkage

    def linked(self, tasks: Sequence[str], harmless: Floats, chance: float) -> list[Node]:
        """Return the forest that complete linkage builds when two tasks may share as much as is likely harmless.

        ``harmless`` [n, n, d] says how likely each depth is; ``chance`` how likely it has to be.
        """
        places = [self.place[task] for task in tasks]
        likely = harmless[np.ix_(places, places)]
        depths = np.where(likely >= chance, np.array(self.depths), 0).max(axis=-1)
        ties = np.log(np.maximum(likely, 1e-12)).sum(axis=-1)
        return self._link([self.leaf(task) for task in tasks], depths, depths - 0.5 * ties / (ties.min() - 1e-9))

    def _link(self, nodes: list[Node], depths: NDArray[np.int_], order: Floats) -> list[Node]:
        """Join the two nodes that may share most, again and again; ties go to the pair that is likeliest harmless."""
        order = order.copy()
        np.fill_diagonal(order, -np.inf)
        while len(nodes) > 1:
            first, second = sorted(int(place) for place in np.unravel_index(np.argmax(order), order.shape))
            joined = self.joined(nodes[first], nodes[second], depth) if (depth := int(depths[first, second])) else None
            if joined is None:
                return nodes
            nodes = [joined if place == first else node for place, node in enumerate(nodes) if place != second]
            depths, order = _merged(depths, first, second), _merged(order, first, second)
            np.fill_diagonal(order, -np.inf)
        return nodes


def _merged(table: NDArray[_Number], first: int, second: int) -> NDArray[_Number]:
    """Return a symmetric table in which ``first`` stands for both, by the smaller of their entries."""
    table = table.copy()
    table[first] = np.minimum(table[first], table[second])
    table[:, first] = table[first]
    return np.delete(np.delete(table, second, axis=0), second, axis=1)


def shared_blocks(node: Node, place: Mapping[str, int]) -> Floats:
    """Return [n, n] how many blocks every two of n tasks share, by their ``place``; 0 for those outside the node."""
    shared = np.zeros((len(place), len(place)))
    for inner in node.walk():
        if not inner.is_leaf:
            places = [place[task] for task in inner.tasks]
            shared[np.ix_(places, places)] = inner.blocks[1]
    np.fill_diagonal(shared, 0)
    return shared


def starting_at(node: Node, start: int) -> Node:
    """Return a node that starts at another block."""
    return Node(node.tasks, (start, node.blocks[1]), node.children)
