"""Pictures of trees: what is on them, and that nothing in them is markup by accident."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.space.branching import Branching, Cause, Reason
from taskgraft.space.document import tree_document
from taskgraft.space.node_cost import node_costs
from taskgraft.space.pictures.tree import draw_tree
from taskgraft.space.pictures.tree_words import costs_of_form, describe
from taskgraft.space.tasks import Task
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree, Node
from taskgraft.svg import printable
from tests.svgs import ODD_NAMES, SVG, read_picture, texts

CNN8 = get_template("cnn8")


def branched() -> BranchTree:
    """Two pairs above six shared blocks."""
    pairs = [Node(pair, (6, 8), tuple(Node((task,), (8, 8)) for task in pair)) for pair in (("a", "b"), ("c", "d"))]
    return BranchTree(Node(("a", "b", "c", "d"), (0, 6), tuple(pairs)), 8)


def document(tree: BranchTree) -> dict[str, Any]:
    return tree_document(tree, CNN8, 0.02, [Task(name) for name in tree.tasks])


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u0645\u200c\u062e", "\u0645\u200c\u062e"),
        ("a\u3000b", "a\u3000b"),
        ("a\0b\x85\ud800", "a\ufffdb\ufffd\ufffd"),
        ("x\u202ey", "x\ufffdy"),
    ],
)
def test_only_what_xml_cannot_write_or_turns_text_is_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown


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


CAUSE = Cause(Reason.BROKE, ("a", "c"), 8, 0.031)
PARTING = Branching(("a", "b", "c", "d"), 6, (("a", "b"), ("c", "d")), (CAUSE,)).to_json()


@pytest.mark.parametrize("vertical", [False, True])
def test_the_reason_for_a_branching_can_be_read(vertical: bool) -> None:
    svg = draw_tree(document(branched()) | {"branchings": [PARTING]}, vertical=vertical)
    read_picture(svg)
    words = texts(svg)
    assert words.count("1") == (2 if vertical else 3)  # at the branching, before its reason; and the block
    assert "a, b | c, d part after block 6: a + c at 8 blocks lose 3.10 %." in " ".join(words)


@pytest.mark.parametrize("vertical", [False, True])
def test_costs_stand_at_their_nodes(vertical: bool) -> None:
    form = document(branched())
    svg = draw_tree(form, costs=costs_of_form(form), vertical=vertical)
    titles = [title.text for title in read_picture(svg).iter(f"{SVG}title")]
    costs = node_costs(branched(), CNN8)
    root = f"{costs[0].parameters:,} parameters, {costs[0].macs_per_second:,} MACs per second of audio"
    assert f"blocks 1 to 6 serve a, b, c, d: {root}" in titles
    assert any("17k parameters" in words for words in texts(svg))


def test_costs_of_another_tree_are_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        draw_tree(document(branched()), costs=node_costs(BranchTree.flat(["a"], 8, 8), CNN8))


@given(
    st.lists(
        st.one_of(st.sampled_from(ODD_NAMES), st.text(min_size=1, max_size=20)), min_size=1, max_size=9, unique=True
    ),
    st.integers(0, 8),
    st.booleans(),
)
def test_any_names_make_a_sound_picture_that_holds_them(names: list[str], shared: int, vertical: bool) -> None:
    tree = BranchTree.flat(names, shared, 8)
    form = tree_document(tree, CNN8, 0.02)
    parting = Branching(tuple(names), shared, tuple((name,) for name in names), (Cause(Reason.OTHERS, (), shared),))
    svg = draw_tree(form | {"branchings": [parting.to_json()]}, costs=costs_of_form(form), vertical=vertical)
    read_picture(svg)
    for name in filter(str.isprintable, names):
        assert name in texts(svg)


def test_the_form_for_narrow_screens_fits_them() -> None:
    form = document(branched()) | {"branchings": [PARTING]}
    root = read_picture(draw_tree(form, "verified: AR 0.90 % on test", costs=costs_of_form(form), vertical=True))
    assert float(root.get("width", "0")) <= 328  # 360 pixels without borders
