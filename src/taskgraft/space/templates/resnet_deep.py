"""`resnet-deep`: many residual blocks (He et al. 2016), for trees with many depths to branch at."""

from itertools import pairwise

from taskgraft.space.front_ends import LogMel
from taskgraft.space.heads import AttentionHead, GruHead
from taskgraft.space.layers import BatchNorm, Convolution, Layer, Relu, Residual
from taskgraft.space.tasks import Answer
from taskgraft.space.template import Block, Template, conv_block
from taskgraft.space.templates.width import scaled

_STEM, _STAGES, _BLOCKS = 16, (16, 24, 32), 4


def resnet_deep(width: float = 1.0) -> Template:
    """Return the template."""
    channels = [scaled(one, width) for one in (_STEM, *(stage for stage in _STAGES for _ in range(_BLOCKS)))]
    strides = [(2, 2) if place % _BLOCKS == 0 else (1, 1) for place in range(len(channels) - 1)]
    residuals = (_basic(*pair, stride) for pair, stride in zip(pairwise(channels), strides, strict=True))
    return Template(
        name="resnet-deep",
        width=width,
        front_end=LogMel(),
        blocks=(conv_block(1, channels[0]), *residuals),
        heads={Answer.CLIP: AttentionHead(hidden=32), Answer.STEPS: GruHead(hidden=28)},
        summary="a stem and 12 residual blocks on 64 log-mel bands; for comparisons",
    )


def _basic(before: int, after: int, stride: tuple[int, int]) -> Block:
    """Return two convolutions with a shortcut, and ReLU behind their sum."""
    body: tuple[Layer, ...] = (
        *(Convolution(before, after, stride=stride), BatchNorm(after), Relu()),
        *(Convolution(after, after), BatchNorm(after)),
    )
    same = before == after and stride == (1, 1)
    shortcut = () if same else (Convolution(before, after, (1, 1), stride), BatchNorm(after))
    return Block((Residual(body, shortcut), Relu()))
