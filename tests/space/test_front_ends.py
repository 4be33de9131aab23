"""Front ends by name, and which templates take them."""

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.document import read_tree_document, tree_document
from taskgraft.space.front_ends import PRESETS
from taskgraft.space.templates.registry import TEMPLATES, get_template
from taskgraft.space.tree import BranchTree


@pytest.mark.parametrize("name", PRESETS)
def test_cnn8_takes_every_front_end_that_keeps_time(name: str) -> None:
    template = get_template("cnn8", front_end=name)
    assert template.front_end == PRESETS[name]
    assert template.shapes(template.frames)[0] == PRESETS[name].shape(template.frames)
    tree = BranchTree.flat(["a"], 8, 8)
    document = tree_document(tree, template, 0.1)
    assert document.get("front_end") == (None if name == "default" else name)
    assert read_tree_document(document).template == template


def test_the_templates_own_front_end_makes_no_difference() -> None:
    assert get_template("cnn8", front_end="default") is get_template("cnn8") is TEMPLATES["cnn8"]


@pytest.mark.parametrize(
    ("template", "front_end", "rule"),
    [
        ("vgg11", "default", "vgg11 can't take 'default': 512 bands|smaller than a window|input channels behind"),
        ("transformer-s", "scene", "transformer-s can't take 'scene': positions are for"),
        ("cnn8", "loud", "no front end 'loud'; there is default, scene"),
    ],
)
def test_what_a_template_cannot_take_is_refused(template: str, front_end: str, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        get_template(template, front_end=front_end)
