"""Pictures of trees: what is on them, and that nothing in them is markup by accident."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.api.pictures import describe, draw_tree
from taskgraft.errors import InvalidInput
from taskgraft.space.document import tree_document
from taskgraft.space.tasks import Task
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree, Node

CNN8 = get_template("cnn8")
SVG = "{http://www.w3.org/2000/svg}"


def branched() -> BranchTree:
    """Two pairs above six shared blocks."""
    pairs = [Node(pair, (6, 8), tuple(Node((task,), (8, 8)) for task in pair)) for pair in (("a", "b"), ("c", "d"))]
    return BranchTree(Node(("a", "b", "c", "d"), (0, 6), tuple(pairs)), 8)


def document(tree: BranchTree) -> dict[str, Any]:
    return tree_document(tree, CNN8, 0.02, [Task(name) for name in tree.tasks])


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def bars(svg: str) -> int:
    """Blocks on the picture: rectangles, less the ground and the two of the legend."""
    return len(list(ET.fromstring(svg).iter(f"{SVG}rect"))) - 3


def test_every_block_is_a_bar_with_its_number() -> None:
    svg = draw_tree(document(branched()))
    assert bars(svg) == 6 + 2 + 2
    numbers = [text for text in texts(svg) if text.isdigit()]
    assert sorted(numbers) == sorted([*"123456", *"78", *"78"])


def test_every_task_stands_at_a_leaf_of_its_own() -> None:
    root = ET.fromstring(draw_tree(document(branched())))
    leaves = {element.text: element for element in root.iter(f"{SVG}text") if element.text in {"a", "b", "c", "d"}}
    assert len({leaf.get("y") for leaf in leaves.values()}) == 4
    assert len({leaf.get("x") for leaf in leaves.values()}) == 1


def test_size_and_threshold_are_told() -> None:
    words = texts(draw_tree(document(branched())))
    form = document(branched())
    assert words[0] == "4 tasks · template cnn8 · accuracy reduction at most 2 %"
    share = round(100 * form["parameters"] / form["independent_parameters"])
    assert (
        words[1]
        == f"{form['parameters']:,} parameters · {share} % of {form['independent_parameters']:,} in independent models"
    )


def test_a_caption_stands_below_the_picture() -> None:
    caption = "not refuted: AR 1.30 % on test, verified for Q >= 3.11 %"
    plain, captioned = (ET.fromstring(draw_tree(document(branched()), one)) for one in (None, caption))
    assert float(captioned.get("height", "0")) > float(plain.get("height", "0"))
    (line,) = (element for element in captioned.iter(f"{SVG}text") if element.text == caption)
    assert float(plain.get("height", "0")) < float(line.get("y", "0")) < float(captioned.get("height", "0"))


def test_a_tree_of_unknown_size_has_a_picture_too() -> None:
    svg = draw_tree(tree_document(branched(), CNN8, 0.02))
    assert "parameters" not in svg


def test_a_reader_who_sees_nothing_hears_the_tree() -> None:
    root = ET.fromstring(draw_tree(document(branched())))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "Tree of 4 tasks"
    assert root.findtext(f"{SVG}desc") == (
        "Blocks 1 to 6 serve a, b, c, d; blocks 7 to 8 serve a, b; blocks 7 to 8 serve c, d."
    )
    assert describe(BranchTree.flat(["a"], 1, 1)) == "Block 1 serves a."


def test_one_task_and_independent_tasks_are_trees_too() -> None:
    assert bars(draw_tree(document(BranchTree.flat(["a"], 8, 8)))) == 8
    assert bars(draw_tree(document(BranchTree.flat(["a", "b"], 0, 8)))) == 16
    assert bars(draw_tree(document(BranchTree.flat(["a", "b"], 8, 8)))) == 8


@given(st.lists(st.text(min_size=1), min_size=1, max_size=20, unique=True), st.integers(0, 8))
def test_no_name_becomes_markup(names: list[str], shared: int) -> None:
    form = tree_document(BranchTree.flat(names, shared, 8), CNN8, 0.02)
    svg = draw_tree(form)
    leaves = [element for element in ET.fromstring(svg).iter(f"{SVG}text") if element.get("font-size") == "14"]
    assert len(leaves) == len(names)
    for leaf, name in zip(leaves, names, strict=True):
        if name.isprintable():
            assert leaf.text == name


def test_nothing_lies_outside_the_picture() -> None:
    root = ET.fromstring(draw_tree(document(BranchTree.flat([f"task-{i}" for i in range(64)], 3, 8))))
    width, height = (float(root.get(side, "0")) for side in ("width", "height"))
    for element in root.iter():
        assert 0 <= float(element.get("x", "0")) <= width
        if not element.get("height", "").endswith("%"):
            assert (
                0
                <= float(element.get("y", "0")) + float(element.get("height", "0") if element is not root else 0)
                <= height
            )


@pytest.mark.parametrize("change", [{"template": "vgg"}, {"root": {}}, {"schema": "else"}])
def test_what_is_no_tree_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        draw_tree(document(branched()) | change)
