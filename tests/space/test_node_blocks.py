from dataclasses import replace

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import blocks_cost, tree_cost
from taskgraft.space.layers import Convolution
from taskgraft.space.narrowing import LayerPlace, check_channels, convolutions, narrowed
from taskgraft.space.node_blocks import NodeBlocks
from taskgraft.space.tasks import Task
from taskgraft.space.template import conv_block
from taskgraft.space.templates.registry import TEMPLATES, get_template
from taskgraft.space.tree import BranchTree

CNN8 = get_template("cnn8")
TREE = BranchTree.flat(["a", "b"], 7, 8)
TASKS = [Task("a"), Task("b", classes=3)]


def test_a_trees_own_blocks_are_the_templates() -> None:
    blocks = NodeBlocks.of(TREE, CNN8)
    assert blocks.blocks == (CNN8.blocks[:7], CNN8.blocks[7:], CNN8.blocks[7:])
    assert blocks.encoded(100) == dict.fromkeys("ab", CNN8.shapes(100)[-1])
    assert blocks_cost(blocks, TASKS) == tree_cost(TREE, CNN8, TASKS)


def test_fewer_channels_cost_what_their_shapes_say() -> None:
    blocks = NodeBlocks.of(TREE, CNN8)
    fewer = narrowed(blocks, {LayerPlace(0, 6, 0): 20, LayerPlace(1, 0, 0): 5})
    whole, cut = blocks_cost(blocks, TASKS), blocks_cost(fewer, TASKS)
    # One of 21 channels between the 7th and the 8th block, of which there are two; 16 of 21 at the end of one of these.
    encoder = (9 * 21 + 2) + 2 * 9 * 21 + 16 * (9 * 20 + 2)
    assert whole.encoder_parameters - cut.encoder_parameters == encoder
    assert whole.parameters is not None
    assert cut.parameters == whole.parameters - encoder - 16 * 4 * 32  # the head sees 4 bands of each channel
    steps, bands = 25, 4
    macs = steps * (bands * (9 * 21 + 2 * 9 * 21 + 16 * 9 * 20) + 16 * 4 * 32)
    assert whole.macs_per_second is not None
    assert cut.macs_per_second == whole.macs_per_second - macs
    assert {task: shape[0] for task, shape in fewer.encoded(100).items()} == {"a": 5, "b": 21}


def test_blocks_that_do_not_fit_are_refused() -> None:
    own = NodeBlocks.of(TREE, CNN8).blocks
    with pytest.raises(InvalidInput, match=r"nodes have \[7, 1, 1\] blocks; got \[7, 1\]"):
        NodeBlocks(TREE, CNN8, own[:2])
    with pytest.raises(InvalidInput, match="20 input channels behind 21"):
        NodeBlocks(TREE, CNN8, (own[0], (conv_block(20, 21),), own[2]))
    with pytest.raises(InvalidInput, match="keeps time as the template's"):
        NodeBlocks(TREE, CNN8, (own[0], (conv_block(21, 21, stride=(1, 2)),), own[2]))
    with pytest.raises(InvalidInput, match="8 blocks; the tree has 7"):
        NodeBlocks.of(BranchTree.flat(["a"], 0, 7), CNN8)


@pytest.mark.parametrize("name", ["cnn8", "cnn", "crnn", "vgg11", "vgg11-bn", "alexnet", "cnn-bilstm"])
def test_plain_stacks_can_lose_channels(name: str) -> None:
    check_channels(TEMPLATES[name])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cp-mobile", "Residual"),
        ("cp-mobile-rnn", "Residual"),
        ("resnet-deep", "Residual"),
        ("transformer-s", "Positions"),
    ],
)
def test_other_encoders_are_refused_by_name_and_reason(name: str, kind: str) -> None:
    template = get_template(name)
    with pytest.raises(InvalidInput, match=rf"^template: no channels can be taken out of {name}: .*{kind}.* in block"):
        convolutions(NodeBlocks.of(BranchTree.flat(["a"], 0, template.depth), template))


def test_groups_of_channels_are_refused() -> None:
    first, second, *others = CNN8.blocks
    convolution, *rest = second.layers
    assert isinstance(convolution, Convolution)
    grouped = replace(second, layers=(replace(convolution, groups=4), *rest))
    with pytest.raises(InvalidInput, match="goes over groups of channels in block 2"):
        check_channels(replace(CNN8, blocks=(first, grouped, *others)))


def test_filters_before_the_first_convolution_stay_whole() -> None:
    waveform = get_template("cnn8", 1.0, "waveform")
    blocks = NodeBlocks.of(BranchTree.flat(["a"], 0, 8), waveform)
    places = list(convolutions(blocks))
    assert places[0] == LayerPlace(0, 0, 4)
    fewer = narrowed(blocks, dict.fromkeys(places, 1))
    assert fewer.blocks[0][0].layers[:4] == waveform.blocks[0].layers[:4]
