"""The blocks that each node of a tree is built from: the template's, or others in their place."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskgraft.errors import InvalidInput
from taskgraft.space.layers import Shape
from taskgraft.space.tasks import Task
from taskgraft.space.template import Block, Template
from taskgraft.space.tree import BranchTree, Node


@dataclass(frozen=True, slots=True)
class NodeBlocks:
    """Blocks for every node of a tree, which may differ from node to node; a template lends front end and heads.

    A value that exists can be built: each block takes what the one before it gives, and the time steps of the heads are
    the template's.

    Raises:
        InvalidInput: tree and template differ in depth; a node has another number of blocks; blocks that do not fit
            behind each other, or that have another time stride than the template's.
    """

    tree: BranchTree
    template: Template
    blocks: tuple[tuple[Block, ...], ...]
    """Those of each node, in the order of `BranchTree.nodes`."""

    def __post_init__(self) -> None:
        if self.tree.depth != self.template.depth:
            message = f"{self.template.name} has {self.template.depth} blocks; the tree has {self.tree.depth}"
            raise InvalidInput.at("tree", message)
        nodes = list(self.tree.nodes())
        lengths, wanted = [len(blocks) for blocks in self.blocks], [node.length for node in nodes]
        if lengths != wanted:
            raise InvalidInput.at("blocks", f"the tree's nodes have {wanted} blocks; got {lengths}")
        for node, blocks in zip(nodes, self.blocks, strict=True):
            _check_strides(blocks, self.template.blocks[slice(*node.blocks)])
        self.shapes(self.template.frames)

    @classmethod
    def of(cls, tree: BranchTree, template: Template) -> "NodeBlocks":
        """Return the template's own blocks for every node.

        Raises:
            InvalidInput: tree and template differ in depth.
        """
        return cls(tree, template, tuple(template.blocks[slice(*node.blocks)] for node in tree.nodes()))

    @property
    def parents(self) -> list[int | None]:
        """The place of each node's parent in the order of the tree's nodes; None of the root."""
        found: list[int | None] = []

        def visit(node: Node, parent: int | None) -> None:
            place = len(found)
            found.append(parent)
            for child in node.children:
                visit(child, place)

        visit(self.tree.root, None)
        return found

    def shapes(self, frames: int) -> list[list[Shape]]:
        """Return, for each node, the shape before each of its blocks and behind the last.

        ``frames`` are those of the front end.

        Raises:
            InvalidInput: a block can't take what the one before it gives.
        """
        found: list[list[Shape]] = []
        for blocks, parent in zip(self.blocks, self.parents, strict=True):
            shapes = [self.template.front_end.shape(frames) if parent is None else found[parent][-1]]
            for block in blocks:
                shapes.append(block.output_shape(shapes[-1]))
            found.append(shapes)
        return found

    def encoded(self, frames: int) -> dict[str, Shape]:
        """Return, for each task in the tree's order, the shape that its head sees."""
        ends = dict(zip(self.tree.nodes(), self.shapes(frames), strict=True))
        leaves = {node.tasks[0]: shapes[-1] for node, shapes in ends.items() if node.is_leaf}
        return {task: leaves[task] for task in self.tree.tasks}

    @property
    def encoder_parameters(self) -> int:
        """Trained numbers of all blocks, and of gates as far as tasks share them."""
        gates = sum(node.holds_first_block for node in self.tree.nodes())
        shared = gates * self.template.gate.shared_parameters(self.template.encoded)
        return shared + sum(block.parameters for blocks in self.blocks for block in blocks)

    def parameters(self, tasks: Sequence[Task]) -> int:
        """Return the trained numbers of all blocks, gates and heads of ``tasks``, which are the tree's."""
        encoded, gate = self.encoded(self.template.frames), self.template.gate
        heads = (self.template.head(task).parameters(encoded[task.name], task.outputs) for task in tasks)
        return self.encoder_parameters + sum(heads) + len(tasks) * gate.task_parameters()

    def macs_per_second(self, tasks: Sequence[Task]) -> int:
        """Return the multiply-accumulates for one second of audio, those of gates and heads of ``tasks`` included."""
        frames = self.template.frames
        encoded, shapes = self.encoded(frames), self.shapes(frames)
        heads = sum(self.template.head(task).macs(encoded[task.name], task.outputs) for task in tasks)
        gates = len(tasks) * self.template.gate.macs(self.template.encoded)
        return (
            heads
            + gates
            + sum(
                block.macs(shape)
                for blocks, before in zip(self.blocks, shapes, strict=True)
                for block, shape in zip(blocks, before, strict=False)
            )
        )


def _check_strides(blocks: Sequence[Block], wanted: Sequence[Block]) -> None:
    for block, own in zip(blocks, wanted, strict=True):
        if (block.time_stride, block.keeps_time) != (own.time_stride, own.keeps_time):
            raise InvalidInput.at("blocks", "a block keeps time as the template's block in its place does")
