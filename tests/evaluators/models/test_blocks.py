"""Modules of blocks and heads have the shapes, parameters and multiply-accumulates of their specifications."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from taskgraft.evaluators.models.blocks import build_block
from taskgraft.evaluators.models.heads import build_head
from taskgraft.space import layers
from taskgraft.space.heads import (
    AttentionHead,
    BiGruHead,
    GruHead,
    Head,
    LayeredHead,
    LstmHead,
    MeanHead,
    MlpHead,
    PoolHead,
    StepHead,
    WeighedBiGruHead,
)
from taskgraft.space.layers import Convolution, Layer, Relu, Shape
from taskgraft.space.named_heads import NAMED_HEADS
from taskgraft.space.template import Block, Template, conv_block
from taskgraft.space.templates.registry import TEMPLATES, get_template

EVERY = pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@EVERY
@pytest.mark.parametrize("width", [1.0, 0.3])
@pytest.mark.parametrize("strides", [1, 2, 3, 13])
def test_blocks_are_as_their_specifications_say(template: Template, width: float, strides: int) -> None:
    """On torch's device without numbers, which knows shapes and counts operations only."""
    template = get_template(template.name, width)
    frames = strides * template.time_stride
    shapes = template.shapes(frames)
    with torch.device("meta"):
        picture = torch.randn(2, *shapes[0])
        for spec, before, behind in zip(template.blocks, shapes, shapes[1:], strict=False):
            block = build_block(spec)
            with FlopCounterMode(display=False) as counter:
                picture = block(picture)
            assert picture.shape == (2, *behind)
            assert parameters(block) == spec.parameters
            assert counter.get_total_flops() == 2 * 2 * spec.macs(before), "two clips, a product and a sum each"
    assert not template.keeps_time or shapes[-1][2] == strides


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 100, 101])
def test_same_padding_rounds_up(frames: int) -> None:
    template = TEMPLATES["cnn8"]
    picture = torch.randn(2, 1, template.front_end.rows, frames)
    for spec, shape in zip(template.blocks, template.shapes(frames)[1:], strict=True):
        picture = build_block(spec).eval()(picture)
        assert picture.shape == (2, *shape)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 1), (1, 5), (5, 3)])
def test_kernel_and_stride_are_of_bands_and_frames_in_this_order(kernel: tuple[int, int]) -> None:
    spec = conv_block(1, 2, kernel=kernel, stride=(2, 1))
    assert build_block(spec)(torch.randn(3, 1, 9, 6)).shape == (3, *spec.output_shape((1, 9, 6))) == (3, 2, 5, 6)


def test_blocks_put_out_nothing_below_zero() -> None:
    picture = build_block(conv_block(1, 4))(torch.randn(3, 1, 9, 6))
    assert picture.min() == 0
    assert picture.max() > 0


def is_of_steps(spec: Head) -> bool:
    return isinstance(spec, StepHead | GruHead) or (isinstance(spec, BiGruHead | LstmHead) and not spec.pooled)


@dataclass(frozen=True, slots=True)
class TwoConvolutions(LayeredHead):
    hidden: int

    def layers(self, shape: Shape, outputs: int) -> tuple[Layer, ...]:
        return Convolution(shape[0], self.hidden, bias=True), Relu(), Convolution(self.hidden, outputs, (1, 1))


HEADS = [
    TwoConvolutions(4),
    AttentionHead(4),
    PoolHead(),
    MeanHead(),
    StepHead(),
    GruHead(4),
    BiGruHead(4),
    BiGruHead(4, 1),
    MlpHead(4),
    WeighedBiGruHead(4),
]
NAMED = [head for named in NAMED_HEADS.values() for head in (named.clip, named.steps, named.weighed) if head]


@pytest.mark.parametrize(
    "spec", [*HEADS, BiGruHead(4, pooled=True), LstmHead(4), LstmHead(4, pooled=True), *NAMED], ids=repr
)
def test_heads_are_as_their_specifications_say(spec: Head) -> None:
    """On torch's device without numbers: that of the processor has memories of its own, which are not counted."""
    shape = 5, 2, 7
    outputs = 3
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        head = build_head(spec, shape, outputs)
        scores = head(torch.randn(2, *shape))
    puts_out = 2 * outputs if isinstance(spec, WeighedBiGruHead) else outputs  # and the weight of each step
    assert scores.shape == ((2, shape[2], puts_out) if is_of_steps(spec) else (2, outputs))
    assert parameters(head) == spec.parameters(shape, outputs)
    weighing = 2 * 7 * spec.hidden if isinstance(spec, AttentionHead) else 0  # the weighted sum is no matrix product
    assert counter.get_total_flops() == 2 * (2 * spec.macs(shape, outputs) - weighing)


def test_named_heads_answer_what_their_names_say() -> None:
    for named in NAMED_HEADS.values():
        assert named.steps is None or is_of_steps(named.steps)
        assert named.clip is None or not is_of_steps(named.clip)


def test_a_pooled_recurrence_takes_the_mean_of_steps_that_are_all_as_sure() -> None:
    head = build_head(BiGruHead(4, pooled=True), (3, 2, 7), 5).eval()
    nn.init.zeros_(head.weigh.weight)  # type: ignore[arg-type, union-attr]
    nn.init.zeros_(head.weigh.bias)  # type: ignore[arg-type, union-attr]
    encoded = torch.randn(2, 3, 2, 7)
    hidden = head.recur(encoded.permute(0, 3, 1, 2).flatten(2))[0]  # type: ignore[operator]
    torch.testing.assert_close(head(encoded), head.classify(hidden).mean(1))  # type: ignore[operator]


def test_a_pooled_recurrence_of_one_sure_step_is_that_step() -> None:
    head = build_head(BiGruHead(1, layers=1, pooled=True), (1, 1, 3), 2).eval()
    steps = torch.tensor([[[50.0, -50.0]], [[-50.0, 50.0]], [[-50.0, 50.0]]]).reshape(1, 3, 2)
    head.recur.forward = lambda _: (steps, None)  # type: ignore[union-attr]
    with torch.no_grad():
        head.weigh.weight.copy_(torch.eye(2))  # type: ignore[operator, union-attr]
        head.weigh.bias.zero_()  # type: ignore[operator, union-attr]
        head.classify.weight.copy_(torch.eye(2))  # type: ignore[operator, union-attr]
        head.classify.bias.zero_()  # type: ignore[operator, union-attr]
    torch.testing.assert_close(head(torch.zeros(1, 1, 1, 3)), torch.tensor([[50.0, 50.0]]))


def test_a_residual_whose_last_scale_is_0_is_its_shortcut() -> None:
    block = build_block(TEMPLATES["resnet-deep"].blocks[2]).eval()
    (last,) = [module for name, module in block.named_modules() if name.endswith("body.4")]
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)
    picture = torch.rand(2, 16, 8, 9)
    torch.testing.assert_close(block(picture), picture)


def test_global_response_norm_weighs_channels_by_their_norm() -> None:
    block = build_block(Block((layers.GlobalResponseNorm(),)))
    picture = torch.tensor([[[[3.0, 4.0]], [[0.0, 15.0]]]])  # norms 5 and 15, their mean 10
    torch.testing.assert_close(block(picture), picture)
    nn.init.ones_(block[0].gamma)  # type: ignore[index]
    torch.testing.assert_close(block(picture), picture * torch.tensor([1.5, 2.5]).reshape(1, 2, 1, 1))
