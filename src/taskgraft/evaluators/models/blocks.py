"""Encoder blocks as torch modules, one builder per kind of block specification.

Notation: ``n`` clips, ``c`` channels, ``f`` bands, ``t`` frames.
"""

from torch import nn

from taskgraft.space.template import ConvBlock


def build_block(spec: ConvBlock) -> nn.Module:
    """Convolution, batch normalisation, ReLU: [n, c_in, f, t] -> [n, c_out, f / stride, t / stride], rounded up."""
    padding = (spec.kernel[0] // 2, spec.kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(spec.in_channels, spec.out_channels, spec.kernel, spec.stride, padding, bias=False),
        nn.BatchNorm2d(spec.out_channels),
        nn.ReLU(inplace=True),  # the gradient of the normalisation does not need what it gave
    )
