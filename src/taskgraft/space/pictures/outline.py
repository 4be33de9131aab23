"""The tree for narrow screens: one row per node, children indented below their parent."""

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

from taskgraft.space.document import TreeDocument
from taskgraft.space.node_cost import NodeCost
from taskgraft.space.pictures.costs import short
from taskgraft.space.pictures.footnotes import Footnotes, add_mark
from taskgraft.space.pictures.tree_words import Reason, heading, node_words
from taskgraft.space.tree import Node
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
    wrap,
)

_MARGIN, _INDENT, _ROW, _BAR, _LEAST_WIDTH = 12, 20, 44, 22, 320
_HEADING_SIZE, _NAME_SIZE, _COST_SIZE = 13, 13, 10


def draw_outline(
    drawn: TreeDocument,
    title: str,
    description: str,
    costs: Mapping[Node, NodeCost],
    why: Mapping[frozenset[str], Reason],
    footnotes: Footnotes,
) -> str:
    """Draw a tree from top to bottom; the arguments are those of `draw_tree`, read."""
    rows = list(_rows(drawn.tree.root, 0))
    width = max(_LEAST_WIDTH, *(_right(node, level, costs) + _MARGIN for node, level in rows))
    width = max(width, 2 * _MARGIN + footnotes.least_width)
    room = width - 2 * _MARGIN
    head = [line for words in heading(drawn) for line in wrap(words, _HEADING_SIZE, room)]
    below = footnotes.broken(room)
    top = _MARGIN + len(head) * (_HEADING_SIZE + 6) + 10
    svg = new_picture(width, top + len(rows) * _ROW + below.height, title, description)
    for number, line in enumerate(head, 1):
        add_text(svg, line, _MARGIN, _MARGIN + number * (_HEADING_SIZE + 6), size=_HEADING_SIZE)
    _draw_connections(svg, rows, top)
    for number, (node, level) in enumerate(rows):
        _draw_row(svg, node, (_MARGIN + level * _INDENT, top + number * _ROW), costs.get(node))
        if reason := why.get(frozenset(node.tasks)) if node.children else None:
            add_mark(svg, reason, _MARGIN + level * _INDENT + 6, top + number * _ROW + _BAR + 7)
    below.draw(svg, _MARGIN, top + len(rows) * _ROW)
    return to_text(svg)


def _rows(node: Node, level: int) -> Iterator[tuple[Node, int]]:
    yield node, level
    for child in node.children:
        yield from _rows(child, level + 1)


def _range(node: Node) -> str:
    """Return the blocks of a node; a node without blocks is where tasks part at once, or the end of one."""
    first, last = node.blocks[0] + 1, node.blocks[1]
    if not node.length:
        return "no block" if node.children else ""
    return f"block {first}" if first == last else f"blocks {first} to {last}"


def _bar_width(node: Node) -> float:
    return text_width(_range(node), 12) + 16 if _range(node) else 0


def _right(node: Node, level: int, costs: Mapping[Node, NodeCost]) -> float:
    """Return where the texts of a row end."""
    name = 8 + text_width(node.tasks[0], _NAME_SIZE) if node.is_leaf else 0
    cost = 20 + text_width(_cost_words(costs[node]), _COST_SIZE) if costs and node.length else 0
    return _MARGIN + level * _INDENT + max(_bar_width(node) + name, cost)


def _cost_words(cost: NodeCost) -> str:
    return f"{short(cost.parameters)} parameters · {short(cost.macs_per_second)} MACs/s"


def _draw_connections(svg: ET.Element, rows: list[tuple[Node, int]], top: float) -> None:
    """Draw a line from every node down to each of its children."""
    above: dict[int, int] = {}
    for number, (_, level) in enumerate(rows):
        above[level] = number
        if level:
            x, y = _MARGIN + (level - 1) * _INDENT + 6, top + number * _ROW + _BAR / 2
            add_line(svg, f"M{x} {top + above[level - 1] * _ROW + _BAR:g}V{y:g}H{x + _INDENT - 6}")


def _draw_row(svg: ET.Element, node: Node, place: tuple[float, float], cost: NodeCost | None) -> None:
    x, y = place
    shared = len(node.tasks) > 1
    if words := _range(node):
        box = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{_bar_width(node):.1f}", "height": f"{_BAR}", "rx": "5"}
        filled = shared and node.length > 0
        bar = add_element(svg, "g")
        add_element(bar, "title", node_words(node, cost) if node.length else "the tasks part before the first block")
        add_element(bar, "rect", **box, fill=STRONG if filled else PALE, stroke=STRONG if filled else LINE)
        add_text(bar, words, x + 8, y + 15, size=12, fill=ON_STRONG if filled else INK)
    if node.is_leaf:
        add_text(svg, node.tasks[0], x + _bar_width(node) + 8, y + 15.5, size=_NAME_SIZE, weight="600")
    if cost and node.length:
        add_text(svg, _cost_words(cost), x + 20, y + _BAR + 12, size=_COST_SIZE, fill=MUTED)
