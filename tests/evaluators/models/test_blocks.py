import pytest
import torch

from taskgraft.evaluators.models.blocks import build_block
from taskgraft.space.template import ConvBlock
from tests.evaluators.tones import TEMPLATE


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 100, 101])
def test_blocks_have_the_shapes_and_parameters_of_their_specifications(frames: int) -> None:
    picture = torch.randn(2, 1, TEMPLATE.front_end.bands, frames)
    for spec, shape in zip(TEMPLATE.blocks, TEMPLATE.shapes(frames)[1:], strict=True):
        block = build_block(spec).eval()
        picture = block(picture)
        assert picture.shape == (2, spec.out_channels, *shape)
        assert sum(parameter.numel() for parameter in block.parameters()) == spec.parameters


@pytest.mark.parametrize("kernel", [(1, 1), (3, 1), (1, 5), (5, 3)])
def test_kernel_and_stride_are_of_bands_and_frames_in_this_order(kernel: tuple[int, int]) -> None:
    spec = ConvBlock(1, 2, kernel=kernel, stride=(2, 1))
    assert build_block(spec)(torch.randn(3, 1, 9, 6)).shape == (3, 2, *spec.output_shape((9, 6))) == (3, 2, 5, 6)


def test_blocks_put_out_nothing_below_zero() -> None:
    picture = build_block(ConvBlock(1, 4))(torch.randn(3, 1, 9, 6))
    assert picture.min() == 0
    assert picture.max() > 0
