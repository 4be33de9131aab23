"""What each node of a tree costs: its blocks, without gates and heads."""

from dataclasses import dataclass

from taskgraft.space.document import TreeDocument
from taskgraft.space.node_blocks import NodeBlocks
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True)
class NodeCost:
    """Size and effort of the blocks of one node."""

    parameters: int
    macs_per_second: int
    """Multiply-accumulates for one second of audio."""


def node_costs(tree: BranchTree, template: Template) -> tuple[NodeCost, ...]:
    """Return what each node of ``tree`` costs, in the order of `BranchTree.nodes`.

    Raises:
        InvalidInput: tree and template differ in depth.
    """
    built = NodeBlocks.of(tree, template)
    return tuple(
        NodeCost(
            sum(block.parameters for block in blocks),
            sum(block.macs(shape) for block, shape in zip(blocks, shapes, strict=False)),
        )
        for blocks, shapes in zip(built.blocks, built.shapes(template.frames), strict=True)
    )


def costs_of(document: TreeDocument, encoder_parameters: int | None) -> tuple[NodeCost, ...] | None:
    """Return what each node of a tree form costs; None if its blocks are not those of its template.

    Pruned blocks, for instance, are smaller: ``encoder_parameters``, which is that of the form, says so.
    """
    if document.found != document.tree:
        return None
    costs = node_costs(document.tree, document.template)
    gates = document.template.gate.shared_parameters(document.template.encoded)
    gates *= sum(node.holds_first_block for node in document.tree.nodes())
    whole = gates + sum(cost.parameters for cost in costs)
    return costs if encoder_parameters in (None, whole) else None
