"""Pictures of trees: one standalone SVG, drawn from the public form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from taskgraft.space.branching import describe_branching, describe_unknown
from taskgraft.space.document import TreeDocument, read_tree_document
from taskgraft.space.tree import BranchTree, Node
from taskgraft.svg import INK, LINE, MUTED, PALE, STRONG, WARNING, add_element, add_text, new_picture, to_text

_CELL, _GAP, _BAR = 34, 18, 24
"""Width of a block, room between two blocks (where branches part), height of a bar."""
_ROW, _MARGIN, _HEAD, _FOOT, _CAPTION = 34, 24, 84, 48, 28
"""Height of a task's row, the border, room for the heading, for the legend, for a caption."""
_LETTER = 9
"""Width of a letter of the task names, rounded up."""


def draw_tree(document: Mapping[str, Any], caption: str | None = None) -> str:
    """Draw the tree form as SVG: blocks run left to right, one row per task, shared blocks filled.

    ``caption`` is a line below the picture, such as the verdict on the model.

    Raises:
        InvalidInput: as `read_tree_document`.
    """
    drawn = read_tree_document(document)
    tree = drawn.tree
    unknown = _unknown_words(document)
    sheet = _Sheet.of(tree, caption, lines=bool(caption) + bool(unknown))
    svg = sheet.svg
    add_element(svg, "title", f"Tree of {_count(len(tree.tasks), 'task')}")
    reasons = map(describe_branching, document.get("branchings", ()))
    add_element(svg, "desc", " ".join([describe(tree), *(f"{_sentence(reason)}" for reason in reasons)]))
    add_element(svg, "rect", width="100%", height="100%", fill="#ffffff")
    _heading(svg, drawn)
    _draw_node(sheet, tree.root)
    _legend(sheet)
    if caption:
        add_text(svg, caption, _MARGIN, _HEAD + len(sheet.rows) * _ROW + _FOOT + 8, size=14, weight="600")
    if unknown:
        y = _HEAD + len(sheet.rows) * _ROW + _FOOT + 8 + _CAPTION * bool(caption)
        text = add_text(svg, unknown, _MARGIN, y, size=12, fill=WARNING)
        add_element(text, "title", describe_unknown(document["unknown"]))
    return to_text(svg)


def describe(tree: BranchTree) -> str:
    """Describe the tree in words, for people who cannot see it.

    >>> describe(BranchTree.flat(["a", "b"], 2, 8))
    'Blocks 1 to 2 serve a, b; blocks 3 to 8 serve a; blocks 3 to 8 serve b.'
    """
    return _sentence("; ".join(_node_words(node) for node in tree.nodes() if node.length))


def _node_words(node: Node) -> str:
    first, last = node.blocks[0] + 1, node.blocks[1]
    blocks = f"block {first} serves" if first == last else f"blocks {first} to {last} serve"
    return f"{blocks} {', '.join(node.tasks)}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The picture under way: where columns and rows lie, in pixels."""

    svg: ET.Element
    rows: Mapping[str, int]
    left: int
    """Where the first block begins: away from the border if the tree parts before it."""
    end: int
    """Where the tree ends and the names begin."""

    @classmethod
    def of(cls, tree: BranchTree, caption: str | None, lines: int) -> "_Sheet":
        """Return an empty sheet with room for so many lines below the legend."""
        rows = {task: row for row, task in enumerate(_leaves(tree.root))}
        names = max(len(task) for task in rows) * _LETTER
        left = _MARGIN if tree.root.length else _MARGIN + _GAP
        end = left + tree.depth * (_CELL + _GAP) + _GAP
        width = max(end + names + _MARGIN, 580, 2 * _MARGIN + len(caption or "") * _LETTER)
        height = _HEAD + len(rows) * _ROW + _FOOT + lines * _CAPTION
        return cls(new_picture(width, height), rows, left, end)

    def start(self, block: int) -> int:
        """Return the left edge of a block."""
        return self.left + block * (_CELL + _GAP)

    def stop(self, block: int) -> int:
        """Return the right edge of what ends before ``block``."""
        return self.start(block) - _GAP

    def middle(self, node: Node) -> float:
        """Return the height of a node's bar: midway between the first and the last of its tasks."""
        rows = [self.rows[task] for task in node.tasks]
        return _HEAD + (min(rows) + max(rows) + 1) / 2 * _ROW


def _leaves(node: Node) -> Iterator[str]:
    for below in node.walk():
        if below.is_leaf:
            yield below.tasks[0]


def _draw_node(sheet: _Sheet, node: Node) -> None:
    """Draw a node's bar, the branches to its children, and the children."""
    y = sheet.middle(node)
    for child in node.children:
        x = sheet.start(child.blocks[0]) if child.length else sheet.end
        _branch(sheet, (sheet.stop(node.blocks[1]), y), (x, sheet.middle(child)))
        _draw_node(sheet, child)
    if node.is_leaf:
        add_text(sheet.svg, node.tasks[0], sheet.end + 6, y + 5, size=14, weight="600")
    if node.is_leaf and node.length:
        _line(sheet, f"M{sheet.stop(node.blocks[1])} {y}H{sheet.end}")
    _bar(sheet, node, y)


def _bar(sheet: _Sheet, node: Node, y: float) -> None:
    shared = len(node.tasks) > 1
    for block in range(*node.blocks):
        x = sheet.start(block)
        if block > node.blocks[0]:
            _line(sheet, f"M{x - _GAP} {y}H{x}")
        add_element(
            sheet.svg,
            "rect",
            **{"x": f"{x}", "y": f"{y - _BAR / 2}", "width": f"{_CELL}", "height": f"{_BAR}", "rx": "5"},
            **{"fill": STRONG if shared else PALE, "stroke": STRONG if shared else LINE},
        )
        colour = "#ffffff" if shared else INK
        add_text(sheet.svg, str(block + 1), x + _CELL / 2, y + 4.5, size=12, fill=colour, anchor="middle")


def _branch(sheet: _Sheet, begin: tuple[float, float], end: tuple[float, float]) -> None:
    middle = (begin[0] + end[0]) / 2
    curve = (middle, begin[1], middle, end[1], *end)
    _line(sheet, f"M{begin[0]} {begin[1]}C{' '.join(map(str, curve))}")


def _line(sheet: _Sheet, path: str) -> None:
    add_element(sheet.svg, "path", **{"d": path, "fill": "none", "stroke": LINE, "stroke-width": "2"})


def _heading(svg: ET.Element, drawn: TreeDocument) -> None:
    threshold = f"accuracy reduction at most {100 * drawn.ar_threshold:g} %"
    about = (_count(len(drawn.tree.tasks), "task"), f"template {drawn.template.name}", threshold)
    add_text(svg, " · ".join(about), _MARGIN, 32, size=13, fill=MUTED)
    if drawn.parameters is None:
        return
    words = f"{drawn.parameters:,} parameters"
    if drawn.independent_parameters:
        share = 100 * drawn.parameters / drawn.independent_parameters
        words += f" · {share:.0f} % of {drawn.independent_parameters:,} in independent models"
    add_text(svg, words, _MARGIN, 56, size=15, weight="600")


def _legend(sheet: _Sheet) -> None:
    x, y = _MARGIN, _HEAD + len(sheet.rows) * _ROW + 28
    for words, fill, stroke in (("shared block", STRONG, STRONG), ("block of one task", PALE, LINE)):
        box = {"x": f"{x}", "y": f"{y - 11}", "width": "16", "height": "12", "rx": "3"}
        add_element(sheet.svg, "rect", **box, fill=fill, stroke=stroke)
        add_text(sheet.svg, words, x + 22, y, size=12, fill=MUTED)
        x += 40 + len(words) * 7


def _unknown_words(document: Mapping[str, Any]) -> str:
    """Return a note on the pairs that are apart only because nothing is known; empty if there are none."""
    if not (unknown := document.get("unknown")):
        return ""
    return f"{_count(len(unknown), 'pair')} not asked at every depth: they are apart because nothing is known"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
