"""What stands beside a drawn tree in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskgraft.space.branching import describe_branching, describe_causes
from taskgraft.space.document import TreeDocument, read_tree_document
from taskgraft.space.node_cost import NodeCost, costs_of
from taskgraft.space.tree import BranchTree, Node

_FEW = 6
"""Tasks of a branching that are listed."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the tasks of a node part behind it; its number stands at the branching in the picture."""

    number: int
    words: str
    note: str
    """What stands below the picture, which shows which tasks part: only why, if there are many of them."""


def costs_of_form(document: Mapping[str, Any]) -> tuple[NodeCost, ...] | None:
    """Return what each node of a tree form costs, parents before their children; None if the form does not tell.

    Raises:
        InvalidInput: as `read_tree_document`.
    """
    return costs_of(read_tree_document(document), document.get("encoder_parameters"))


def describe(tree: BranchTree) -> str:
    """Describe the tree in words, for people who cannot see it.

    >>> describe(BranchTree.flat(["a", "b"], 2, 8))
    'Blocks 1 to 2 serve a, b; blocks 3 to 8 serve a; blocks 3 to 8 serve b.'
    """
    return sentence("; ".join(node_words(node) for node in tree.nodes() if node.length))


def node_words(node: Node, cost: NodeCost | None = None) -> str:
    """Return which blocks serve which tasks, and what they cost if that is known."""
    first, last = node.blocks[0] + 1, node.blocks[1]
    blocks = f"block {first} serves" if first == last else f"blocks {first} to {last} serve"
    words = f"{blocks} {', '.join(node.tasks)}"
    if cost is None:
        return words
    return f"{words}: {cost.parameters:,} parameters, {cost.macs_per_second:,} MACs per second of audio"


def sentence(text: str) -> str:
    """Return a text with a capital and a full stop."""
    return text[:1].upper() + text[1:] + "."


def reasons(document: Mapping[str, Any]) -> dict[frozenset[str], Reason]:
    """Return why tasks part, by the tasks that part; numbered as they stand in the form."""
    branchings: Sequence[Mapping[str, Any]] = document.get("branchings") or ()
    return {
        frozenset(branching["tasks"]): Reason(number, describe_branching(branching), _note(branching))
        for number, branching in enumerate(branchings, 1)
    }


def _note(branching: Mapping[str, Any]) -> str:
    if len(branching["tasks"]) <= _FEW:
        return f"{describe_branching(branching)}."
    return f"after block {branching['blocks']}: {describe_causes(branching)}."


def heading(drawn: TreeDocument) -> Iterator[str]:
    """Yield what is drawn, and what it costs if that is known."""
    threshold = f"accuracy reduction at most {100 * drawn.ar_threshold:g} %"
    yield " · ".join((count(len(drawn.tree.tasks), "task"), f"template {drawn.template.name}", threshold))
    if drawn.parameters is None:
        return
    words = f"{drawn.parameters:,} parameters"
    if drawn.independent_parameters:
        share = 100 * drawn.parameters / drawn.independent_parameters
        words += f" · {share:.0f} % of {drawn.independent_parameters:,} in independent models"
    yield words


def unknown_words(document: Mapping[str, Any]) -> str:
    """Return a note on the pairs that are apart only because nothing is known; empty if there are none."""
    if not (unknown := document.get("unknown")):
        return ""
    return f"{count(len(unknown), 'pair')} not asked at every depth: they are apart because nothing is known"


def count(number: int, noun: str) -> str:
    """Return a number of things.

    >>> count(1, "task"), count(3, "pair")
    ('1 task', '3 pairs')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
