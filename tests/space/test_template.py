"""Templates: shapes, sizes and what they refuse."""

import pickle
from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import TEMPLATES, AttentionHead, ConvBlock, FrontEnd, GruHead, Template, get_template

HEADS = {TaskKind.CLIP: AttentionHead(4), TaskKind.FRAMES: GruHead(4)}
BLOCKS = (ConvBlock(1, 2, stride=(2, 2)), ConvBlock(2, 3))


def small(**changes: Any) -> Template:
    values: dict[str, Any] = {"name": "small", "front_end": FrontEnd(), "blocks": BLOCKS, "heads": HEADS}
    return Template(**(values | changes))


def test_a_block_counts_its_weights_and_its_normalisation() -> None:
    block = ConvBlock(2, 3, kernel=(3, 5), stride=(2, 1))
    assert block.parameters == 3 * 5 * 2 * 3 + 2 * 3
    assert block.output_shape((7, 10)) == (4, 10)
    assert block.macs((7, 10)) == 4 * 10 * 3 * 5 * 2 * 3


def test_heads_count_by_hand() -> None:
    # attention: 10 -> 4 with bias, 4 -> 1 with bias, 4 -> 3 with bias
    assert AttentionHead(4).parameters(10, 3) == 44 + 5 + 15
    assert AttentionHead(4).macs(10, 7, 3) == 7 * (40 + 4 + 4) + 12
    # GRU: three gates of 4 x 10 input and 4 x 4 recurrent weights, two biases each; 4 -> 1 with bias
    assert GruHead(4).parameters(10, 1) == 3 * (40 + 16 + 8) + 5
    assert GruHead(4).macs(10, 7, 1) == 7 * (3 * (40 + 16) + 4)


def test_shapes_follow_the_strides() -> None:
    template = small()
    assert template.depth == 2
    assert template.shapes(101) == [(64, 101), (32, 51), (32, 51)]
    assert template.features == 3 * 32
    assert template.time_stride == 2


def test_a_head_is_chosen_by_kind() -> None:
    assert small().head(Task("a", TaskKind.FRAMES)) == HEADS[TaskKind.FRAMES]


def test_default_depths_are_the_upper_half_and_never_0() -> None:
    assert get_template("cnn8").default_depths == (4, 5, 6, 7, 8)
    assert small(blocks=BLOCKS[:1]).default_depths == (1,)


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks": ()},
        {"blocks": (ConvBlock(2, 3),)},
        {"blocks": (ConvBlock(1, 2), ConvBlock(3, 2))},
        {"heads": {TaskKind.CLIP: AttentionHead(4)}},
    ],
)
def test_an_illegal_template_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        small(**changes)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)
def test_a_template_is_a_value(template: Template) -> None:
    copy = pickle.loads(pickle.dumps(template))
    assert copy == template
    assert hash(copy) == hash(template)
    assert get_template(template.name) is template


def test_an_unknown_template_names_those_there_are() -> None:
    with pytest.raises(InvalidInput, match=r"no template 'cnn9'; there is .*cnn8"):
        get_template("cnn9")
