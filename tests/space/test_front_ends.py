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
        ("vgg11", "waveform", "vgg11 can't take 'waveform': 25088 input channels behind 3072 output channels"),
        ("alexnet", "waveform", "alexnet can't take 'waveform': .*smaller than a window"),
        ("cnn8", "loud", "no front end 'loud'; there is default, scene"),
    ],
)
def test_what_a_template_cannot_take_is_refused(template: str, front_end: str, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        get_template(template, front_end=front_end)


def test_what_is_learned_of_samples_belongs_to_the_first_block() -> None:
    template, plain = get_template("cnn8", front_end="waveform"), get_template("cnn8")
    assert template.depth == plain.depth
    assert template.time_stride == plain.time_stride
    assert template.blocks[1:] == plain.blocks[1:]
    assert template.encoder_parameters == plain.encoder_parameters + 400 * 64 + 2 * 64 == 50_691
    assert template.macs_per_second == plain.macs_per_second + 100 * 400 * 64 == 7_509_100
    assert template.shapes(100)[1:] == plain.shapes(100)[1:]


def test_a_narrower_encoder_has_as_many_filters() -> None:
    narrow = get_template("cnn8", 0.5, "waveform")
    assert narrow.encoder_parameters - get_template("cnn8", 0.5).encoder_parameters == 400 * 64 + 2 * 64


@pytest.mark.parametrize(("samples", "frames"), [(1, 2), (120, 2), (121, 3), (160, 3), (16_000, 102)])
def test_frames_of_samples_are_those_whose_window_touches_the_clip(samples: int, frames: int) -> None:
    """The window of frame j begins 200 samples before sample 160 j."""
    assert PRESETS["waveform"].frames(samples) == frames == 1 + max(j for j in range(200) if 160 * j - 200 < samples)
