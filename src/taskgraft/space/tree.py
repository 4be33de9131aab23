"""Branch trees: which tasks share which blocks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskgraft.errors import Fault, InvalidInput

SCHEMA = "taskgraft.tree/1"


@dataclass(frozen=True, slots=True)
class Node:
    """Tasks that share a half-open range of blocks, and the nodes that go on from there."""

    tasks: tuple[str, ...]
    blocks: tuple[int, int]
    children: tuple["Node", ...] = ()

    @property
    def is_leaf(self) -> bool:
        """Whether this node belongs to one task alone."""
        return not self.children

    @property
    def length(self) -> int:
        """How many blocks the node holds."""
        return self.blocks[1] - self.blocks[0]

    @property
    def holds_first_block(self) -> bool:
        """Whether its tasks share the first block, and no others do."""
        return self.blocks[0] == 0 < self.blocks[1]

    def walk(self) -> Iterator["Node"]:
        """Yield this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class BranchTree:
    """A tree of shared blocks over a task set; leaves hold one task each.

    A value that exists is a legal tree: every task goes through blocks 0..B exactly once, inner nodes have two children
    or more and, the root apart, at least one block; children keep the order of the tasks.

    Raises:
        InvalidInput: the nodes do not make such a tree.
    """

    root: Node
    depth: int

    def __post_init__(self) -> None:
        if faults := [*_root_faults(self.root), *_faults(self.root, "root", self.depth)]:
            raise InvalidInput(faults)

    @classmethod
    def flat(cls, tasks: Sequence[str], shared: int, depth: int) -> "BranchTree":
        """Build the tree in which all tasks share the first ``shared`` of ``depth`` blocks; 0 gives independent models.

        >>> BranchTree.flat(["a", "b"], 5, 8).shared_depth("a", "b")
        5
        """
        if len(tasks) == 1:
            return cls(Node(tuple(tasks), (0, depth)), depth)
        leaves = tuple(Node((task,), (shared, depth)) for task in tasks)
        return cls(Node(tuple(tasks), (0, shared), leaves), depth)

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks, in the order of the study."""
        return self.root.tasks

    @property
    def is_shared(self) -> bool:
        """Whether any block serves more than one task."""
        return any(len(node.tasks) > 1 and node.length for node in self.nodes())

    def nodes(self) -> Iterator[Node]:
        """Yield all nodes, parents before their children."""
        return self.root.walk()

    def shared_depth(self, first: str, second: str) -> int:
        """Return how many blocks two tasks share.

        Raises:
            InvalidInput: a task that the tree does not hold.
        """
        if missing := {first, second} - set(self.tasks):
            raise InvalidInput.at("tasks", f"the tree holds {list(self.tasks)}; got {sorted(missing)}")
        node: Node | None = self.root
        while node:
            shared = node.blocks[1]
            node = next((child for child in node.children if first in child.tasks and second in child.tasks), None)
        return shared

    def without_block(self, node: Node) -> "BranchTree":
        """Return the tree in which ``node`` shares one block less and its children start one block earlier.

        Raises:
            InvalidInput: ``node`` is not a node of this tree that shares a block.
        """
        if node.is_leaf or not node.length:
            raise InvalidInput.at(
                "node", f"only a node that shares blocks can lose one; got {node.tasks} {node.blocks}"
            )
        if node not in self.nodes():
            raise InvalidInput.at("node", f"{node.tasks} {node.blocks} is not a node of this tree")
        return BranchTree(_shorten(self.root, node), self.depth)

    def to_json(self) -> dict[str, Any]:
        """Return the root as nested dictionaries (the ``root`` key of the tree form)."""
        return _to_json(self.root)

    @classmethod
    def from_json(cls, root: object, depth: int) -> "BranchTree":
        """Read what `to_json` writes.

        Raises:
            InvalidInput: a missing or mistyped key, or nodes that make no legal tree.
        """
        if faults := list(_shape_faults(root, "root", depth + 1)):
            raise InvalidInput(faults)
        return cls(_from_json(root), depth)


def _root_faults(root: Node) -> Iterator[Fault]:
    if root.blocks[0] != 0:
        yield Fault("root.blocks", f"the root starts at block 0; got {root.blocks[0]}")
    if not root.tasks or len(set(root.tasks)) != len(root.tasks):
        yield Fault("root.tasks", f"one task or more, each named once; got {list(root.tasks)}")


def _faults(node: Node, where: str, depth: int) -> Iterator[Fault]:
    start, stop = node.blocks
    if not 0 <= start <= stop <= depth:
        yield Fault(f"{where}.blocks", f"blocks lie in order within 0..{depth}; got {[start, stop]}")
    if not node.is_leaf:
        yield from _children_faults(node, where, depth)
        return
    if len(node.tasks) != 1:
        yield Fault(f"{where}.tasks", f"a leaf holds one task; got {list(node.tasks)}")
    if stop != depth:
        yield Fault(f"{where}.blocks", f"a leaf ends at block {depth}; got {stop}")


def _children_faults(node: Node, where: str, depth: int) -> Iterator[Fault]:
    if len(node.children) < 2:
        yield Fault(f"{where}.children", "an inner node has two children or more; got 1")
    yield from _division_faults(node, f"{where}.children")
    for place, child in enumerate(node.children):
        there = f"{where}.children.{place}"
        if child.blocks[0] != node.blocks[1]:
            yield Fault(f"{there}.blocks", f"starts where its parent stops, at {node.blocks[1]}; got {child.blocks[0]}")
        if not child.is_leaf and not child.length:
            yield Fault(f"{there}.blocks", "an inner node below the root holds at least one block")
        yield from _faults(child, there, depth)


def _division_faults(node: Node, where: str) -> Iterator[Fault]:
    place = {task: index for index, task in enumerate(node.tasks)}
    held = [task for child in node.children for task in child.tasks]
    if sorted(held) != sorted(node.tasks):
        yield Fault(where, f"children divide {list(node.tasks)}; got {held}")
        return
    places = [[place[task] for task in child.tasks] for child in node.children]
    if places != sorted(map(sorted, places)):
        yield Fault(where, f"children and their tasks keep the order {list(node.tasks)}; got {held}")


def _shorten(node: Node, target: Node) -> Node:
    """Return ``node`` without the last block of ``target``; a child that this empties gives way to its children."""
    if node == target:
        start, stop = node.blocks[0], node.blocks[1] - 1
        return Node(node.tasks, (start, stop), tuple(_starting_at(child, stop) for child in node.children))
    children: list[Node] = []
    for child in node.children:
        shortened = _shorten(child, target)
        emptied = not shortened.is_leaf and not shortened.length
        children.extend(shortened.children if emptied else [shortened])
    children.sort(key=lambda child: node.tasks.index(child.tasks[0]))
    return Node(node.tasks, node.blocks, tuple(children))


def _starting_at(node: Node, start: int) -> Node:
    return Node(node.tasks, (start, node.blocks[1]), node.children)


def _to_json(node: Node) -> dict[str, Any]:
    return {
        "tasks": list(node.tasks),
        "blocks": list(node.blocks),
        "children": [_to_json(child) for child in node.children],
    }


def _from_json(value: Any) -> Node:
    """Return a node from what `_shape_faults` found nothing wrong with."""
    children = tuple(_from_json(child) for child in value.get("children", []))
    return Node(tuple(value["tasks"]), (value["blocks"][0], value["blocks"][1]), children)


def _shape_faults(value: object, where: str, levels: int) -> Iterator[Fault]:
    """Yield keys that are missing or mistyped, and nodes more than ``levels`` below this one."""
    if levels < 0:
        yield Fault(where, "nested deeper than a tree of so many blocks can be")
        return
    if not isinstance(value, Mapping):
        yield Fault(where, f"a node is an object with tasks, blocks and children; got {value!r:.80}")
        return
    tasks, blocks, children = value.get("tasks"), value.get("blocks"), value.get("children", [])
    if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
        yield Fault(f"{where}.tasks", f"a list of task names; got {tasks!r:.80}")
    if not isinstance(blocks, list) or [type(block) for block in blocks] != [int, int]:
        yield Fault(f"{where}.blocks", f"two whole numbers [start, stop]; got {blocks!r:.80}")
    if not isinstance(children, list):
        yield Fault(f"{where}.children", f"a list of nodes; got {children!r:.80}")
        return
    for place, child in enumerate(children):
        yield from _shape_faults(child, f"{where}.children.{place}", levels - 1)
