"""The tree module: a branch tree over tasks, as one torch network.

Notation: ``n`` clips, ``c`` channels, ``f`` bands, ``t`` frames, ``s`` time steps.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.models.blocks import build_block
from taskgraft.evaluators.models.gates import Gate, build_gate, gated_head
from taskgraft.evaluators.models.heads import build_head
from taskgraft.space.node_blocks import NodeBlocks
from taskgraft.space.tasks import Task
from taskgraft.space.template import Block, Template
from taskgraft.space.tree import BranchTree, Node


class TreeModel(nn.Module):
    """Blocks along the branches of a tree, a head per task at its leaves, with a gate before it.

    All clips that need a block go through it in ONE pass: passes per task would let the running statistics of the batch
    normalisation swing between corpora.

    Its nodes have the template's blocks, or ``blocks`` in their place: those of each node, in the order of the nodes.

    Raises:
        InvalidInput: ``tasks`` are not those of the tree, or the tree is not as deep as the template; ``blocks`` that
            do not fit, as `NodeBlocks` says.
    """

    def __init__(
        self,
        tree: BranchTree,
        template: Template,
        tasks: Sequence[Task],
        blocks: tuple[tuple[Block, ...], ...] | None = None,
    ) -> None:
        super().__init__()
        by_name = {task.name: task for task in tasks}
        if set(by_name) != set(tree.tasks):
            raise InvalidInput.at("tasks", f"the tree holds {list(tree.tasks)}; got {sorted(by_name)}")
        self.tree = tree
        self.tasks = tuple(by_name[name] for name in tree.tasks)
        self.blocks = NodeBlocks.of(tree, template) if blocks is None else NodeBlocks(tree, template, blocks)
        self._order = list(tree.nodes())
        self._children = [[self._order.index(child) for child in node.children] for node in self._order]
        self.nodes = nn.ModuleDict()
        for place, own in enumerate(self.blocks.blocks):
            self.nodes[str(place)] = nn.Sequential(*map(build_block, own))
        encoded, gate = self.blocks.encoded(template.frames), template.gate
        heads = (build_head(template.head(task), encoded[task.name], task.outputs) for task in self.tasks)
        self.heads = nn.ModuleList(gated_head(gate, head) for head in heads)
        roots = [place for place, node in enumerate(self._order) if node.holds_first_block]
        self.gates = nn.ModuleDict({str(place): build_gate(gate, template.encoded) for place in roots})
        self._roots = {task: place for place in roots for task in self._order[place].tasks}

    def forward(self, features: Tensor, rows: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Scores per task for normalised log-mel ``features`` [n, 1, f, t].

        ``rows`` says which of the n clips each task is asked about (ascending indices, each once); a task that it
        leaves out is not asked, and None asks every task about every clip. Scores come in that order: [rows, k] of
        heads for clips, [rows, s, k] of heads for time steps.
        """
        scores: dict[str, Tensor] = {}
        pending: list[tuple[int, Tensor, Tensor | None]] = [(0, features, None)]
        while pending:
            place, inputs, present = pending.pop()
            node = self._order[place]
            inputs, present = _select(inputs, present, _wanted(node, rows))
            outputs = self.nodes[str(place)](inputs)
            if node.is_leaf:
                scores[node.tasks[0]] = self._answer(node.tasks[0], outputs)
            pending.extend((child, outputs, present) for child in self._children[place] if self._asked(child, rows))
        return {task: scores[task] for task in self.tree.tasks if task in scores}

    def _answer(self, task: str, encoded: Tensor) -> Tensor:
        gate = self.gates[str(self._roots[task])]
        assert isinstance(gate, Gate)
        return gate.answer(self.heads[self.tree.tasks.index(task)], encoded)

    def _asked(self, place: int, rows: Mapping[str, Tensor] | None) -> bool:
        return rows is None or any(task in rows for task in self._order[place].tasks)


def _wanted(node: Node, rows: Mapping[str, Tensor] | None) -> Tensor | None:
    """Rows that any task of the node is asked about, ascending; None for all."""
    if rows is None:
        return None
    asked = [rows[task] for task in node.tasks if task in rows]
    if all(one is asked[0] for one in asked):
        return asked[0]
    union: Tensor = torch.unique(torch.cat(asked))
    return union


def _select(inputs: Tensor, present: Tensor | None, wanted: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return the wanted rows of ``inputs``, whose rows are now the clips ``present`` (None: all clips, in order)."""
    if wanted is None or (present is not None and len(wanted) == len(present)):
        return inputs, present
    if present is None:
        return (inputs if len(wanted) == len(inputs) else inputs[wanted]), wanted
    return inputs[torch.searchsorted(present, wanted)], wanted
