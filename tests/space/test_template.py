"""Templates: shapes, sizes and what they refuse."""

import pickle
from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.front_ends import LogMel
from taskgraft.space.heads import AttentionHead, BiGruHead, GruHead, MeanHead, MlpHead, PoolHead, StepHead
from taskgraft.space.layers import Flatten
from taskgraft.space.tasks import Answer, Task, TaskKind
from taskgraft.space.template import Block, Template, conv_block
from taskgraft.space.templates.registry import TEMPLATES, get_template

HEADS = {Answer.CLIP: AttentionHead(4), Answer.STEPS: GruHead(4)}
BLOCKS = (conv_block(1, 2, stride=(2, 2)), conv_block(2, 3))


def small(**changes: Any) -> Template:
    values: dict[str, Any] = {"name": "small", "front_end": LogMel(), "blocks": BLOCKS, "heads": HEADS}
    return Template(**(values | changes))


def test_a_block_counts_its_weights_and_its_normalisation() -> None:
    block = conv_block(2, 3, kernel=(3, 5), stride=(2, 1))
    assert block.parameters == 3 * 5 * 2 * 3 + 2 * 3
    assert block.output_shape((2, 7, 10)) == (3, 4, 10)
    assert block.macs((2, 7, 10)) == 4 * 10 * 3 * 5 * 2 * 3


def test_heads_count_by_hand() -> None:
    shape = (5, 2, 7)
    # attention: 10 -> 4 with bias, 4 -> 1 with bias, 4 -> 3 with bias
    assert AttentionHead(4).parameters(shape, 3) == 44 + 5 + 15
    assert AttentionHead(4).macs(shape, 3) == 7 * (40 + 4 + 4) + 12
    # GRU: three gates of 4 x 10 input and 4 x 4 recurrent weights, two biases each; 4 -> 1 with bias
    assert GruHead(4).parameters(shape, 1) == 3 * (40 + 16 + 8) + 5
    assert GruHead(4).macs(shape, 1) == 7 * (3 * (40 + 16) + 4)
    # two directions; the second layer sees both of the first; 8 -> 3 with bias, twice if it is pooled
    gates = 2 * (3 * (40 + 16 + 8) + 3 * (32 + 16 + 8))
    assert BiGruHead(4).parameters(shape, 3) == gates + 27
    assert BiGruHead(4, pooled=True).parameters(shape, 3) == gates + 54
    assert BiGruHead(4, layers=1).macs(shape, 3) == 7 * (2 * 3 * (40 + 16) + 24)
    assert (PoolHead().parameters(shape, 3), PoolHead().macs(shape, 3)) == (21, 5 * 2 * 7 * 3)
    assert (MeanHead().parameters(shape, 3), MeanHead().macs(shape, 3)) == (33, 7 * 30)
    assert (StepHead().parameters(shape, 1), StepHead().macs(shape, 1)) == (11, 7 * 10)
    assert (MlpHead(4).parameters(shape, 3), MlpHead(4).macs(shape, 3)) == (44 + 15, 40 + 12)


def test_shapes_follow_the_strides() -> None:
    template = small()
    assert template.depth == 2
    assert template.shapes(101) == [(1, 64, 101), (2, 32, 51), (3, 32, 51)]
    assert template.time_stride == 2


def test_a_head_is_chosen_by_kind() -> None:
    assert small().head(Task("a", TaskKind.FRAMES)) == HEADS[Answer.STEPS]


def test_a_kind_without_a_head_is_refused() -> None:
    template = small(heads={Answer.CLIP: AttentionHead(4)})
    with pytest.raises(InvalidInput, match="small has no head for frames tasks"):
        template.head(Task("a", TaskKind.FRAMES))
    flat = small(blocks=(*BLOCKS, Block((Flatten(),))), heads={Answer.CLIP: AttentionHead(4)})
    with pytest.raises(InvalidInput, match="no time axis behind its blocks"):
        flat.head(Task("a", TaskKind.FRAMES))


def test_default_depths_are_the_upper_half_and_never_0() -> None:
    assert get_template("cnn8").default_depths == (4, 5, 6, 7, 8)
    assert small(blocks=BLOCKS[:1]).default_depths == (1,)


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks": ()},
        {"blocks": (conv_block(2, 3),)},
        {"blocks": (conv_block(1, 2), conv_block(3, 2))},
        {"heads": {}},
        {"blocks": (*BLOCKS, Block((Flatten(),)))},
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
