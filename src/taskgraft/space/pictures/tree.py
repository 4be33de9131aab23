"""Pictures of trees: one standalone SVG, drawn from the public form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from taskgraft.space.document import TreeDocument, read_tree_document
from taskgraft.space.node_cost import NodeCost
from taskgraft.space.pictures.costs import cost_lines
from taskgraft.space.pictures.footnotes import Footnotes, add_mark
from taskgraft.space.pictures.outline import draw_outline
from taskgraft.space.pictures.tree_words import Reason, count, describe, heading, node_words, reasons
from taskgraft.space.tree import BranchTree, Node
from taskgraft.svg import (
    INK,
    LINE,
    MUTED,
    ON_STRONG,
    PALE,
    STRONG,
    add_element,
    add_line,
    add_text,
    new_picture,
    text_width,
    to_text,
    widest,
)

_CELL, _GAP, _BAR = 34, 18, 24
"""Width of a block, room between two blocks (where branches part), height of a bar."""
_ROW, _COSTLY_ROW, _MARGIN, _HEAD = 34, 58, 24, 84
"""Height of a task's row, also if costs stand below the bars, the border, room for the heading."""
_LEAST_WIDTH = 580


def draw_tree(
    document: Mapping[str, Any],
    caption: str | None = None,
    *,
    costs: Sequence[NodeCost] | None = None,
    vertical: bool = False,
) -> str:
    """Draw the tree form as SVG: blocks run left to right, one row per task, shared blocks filled.

    Numbers in circles are branchings; below the picture stands why tasks part there. ``caption`` is a line below the
    picture, such as the verdict on the model. ``costs`` are those of the nodes, parents before their children (see
    `costs_of_form`). ``vertical`` draws a form for narrow screens: one row per node, children indented below.

    Raises:
        InvalidInput: as `read_tree_document`; costs of another number of nodes.
    """
    drawn = read_tree_document(document)
    words = {} if costs is None else dict(zip(drawn.tree.nodes(), costs, strict=True))
    why = reasons(document)
    footnotes = Footnotes.of(document, caption, why, with_costs=bool(words))
    title = f"Tree of {count(len(drawn.tree.tasks), 'task')}"
    description = " ".join([describe(drawn.tree), *footnotes.sentences])
    if vertical:
        return draw_outline(drawn, title, description, words, why, footnotes)
    return _draw_wide(drawn, title, description, words, why, footnotes)


def _draw_wide(
    drawn: TreeDocument,
    title: str,
    description: str,
    costs: Mapping[Node, NodeCost],
    why: Mapping[frozenset[str], Reason],
    footnotes: Footnotes,
) -> str:
    places = _Places.of(drawn.tree, _COSTLY_ROW if costs else _ROW)
    head = list(heading(drawn))
    width = max(places.width, _LEAST_WIDTH, 2 * _MARGIN + footnotes.least_width, 2 * _MARGIN + widest(head, 15))
    lines = footnotes.broken(width - 2 * _MARGIN)
    svg = new_picture(width, places.bottom + lines.height, title, description)
    for line, (y, size, fill, weight) in zip(head, ((32, 13, MUTED, "400"), (56, 15, INK, "600")), strict=False):
        add_text(svg, line, _MARGIN, y, size=size, fill=fill, weight=weight)
    _Drawing(svg, places, costs, why).draw(drawn.tree.root)
    lines.draw(svg, _MARGIN, places.bottom)
    return to_text(svg)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where columns and rows lie, in pixels."""

    rows: Mapping[str, int]
    row: int
    """Height of a row."""
    left: int
    """Where the first block begins: away from the border if the tree parts before it."""
    end: int
    """Where the tree ends and the names begin."""

    @classmethod
    def of(cls, tree: BranchTree, row: int) -> "_Places":
        """Return the places of a tree whose tasks have rows of this height."""
        rows = {task: number for number, task in enumerate(_leaves(tree.root))}
        left = _MARGIN if tree.root.length else _MARGIN + _GAP
        return cls(rows, row, left, left + tree.depth * (_CELL + _GAP) + _GAP)

    @property
    def width(self) -> float:
        """What the tree and the names take."""
        return self.end + 6 + max(text_width(task, 14) for task in self.rows) + _MARGIN

    @property
    def bottom(self) -> int:
        """Where the last row ends."""
        return _HEAD + len(self.rows) * self.row

    def start(self, block: int) -> int:
        """Return the left edge of a block."""
        return self.left + block * (_CELL + _GAP)

    def stop(self, block: int) -> int:
        """Return the right edge of what ends before ``block``."""
        return self.start(block) - _GAP

    def middle(self, node: Node) -> float:
        """Return the height of a node's bar: midway between the first and the last of its tasks."""
        rows = [self.rows[task] for task in node.tasks]
        return _HEAD + (min(rows) + max(rows) + 1) / 2 * self.row


def _leaves(node: Node) -> Iterator[str]:
    for below in node.walk():
        if below.is_leaf:
            yield below.tasks[0]


@dataclass(frozen=True, slots=True)
class _Drawing:
    """The tree under way."""

    svg: ET.Element
    places: _Places
    costs: Mapping[Node, NodeCost]
    why: Mapping[frozenset[str], Reason]

    def draw(self, node: Node) -> None:
        """Draw a node's bar, the branches to its children, and the children."""
        y, stop = self.places.middle(node), self.places.stop(node.blocks[1])
        for child in node.children:
            x = self.places.start(child.blocks[0]) if child.length else self.places.end
            self._branch((stop, y), (x, self.places.middle(child)))
            self.draw(child)
        if node.is_leaf:
            add_text(self.svg, node.tasks[0], self.places.end + 6, y + 5, size=14, weight="600")
            if node.length:
                add_line(self.svg, f"M{stop} {y}H{self.places.end}")
        self._bar(node, y)
        if reason := self.why.get(frozenset(node.tasks)) if node.children else None:
            add_mark(self.svg, reason, stop + (2 if node.length else 0), y - _BAR / 2 - 1)

    def _bar(self, node: Node, y: float) -> None:
        shared = len(node.tasks) > 1
        group = add_element(self.svg, "g")
        if node.length:
            add_element(group, "title", node_words(node, self.costs.get(node)))
        for block in range(*node.blocks):
            x = self.places.start(block)
            if block > node.blocks[0]:
                add_line(group, f"M{x - _GAP} {y}H{x}")
            box = {"x": f"{x}", "y": f"{y - _BAR / 2:g}", "width": f"{_CELL}", "height": f"{_BAR}", "rx": "5"}
            add_element(group, "rect", **box, fill=STRONG if shared else PALE, stroke=STRONG if shared else LINE)
            colour = ON_STRONG if shared else INK
            add_text(group, str(block + 1), x + _CELL / 2, y + 4.5, size=12, fill=colour, anchor="middle")
        self._cost(node, y)

    def _cost(self, node: Node, y: float) -> None:
        if node.length and (cost := self.costs.get(node)):
            x, y = self.places.start(node.blocks[0]) + 1, y + _BAR / 2 + 11
            for line in cost_lines(cost, node.length):
                add_text(self.svg, line, x, y, size=10, fill=MUTED)
                y += 11

    def _branch(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        middle = (begin[0] + end[0]) / 2
        curve = (middle, begin[1], middle, end[1], *end)
        add_line(self.svg, f"M{begin[0]} {begin[1]}C{' '.join(map(str, curve))}")
