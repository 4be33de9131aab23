"""`alexnet`: AlexNet on pictures of log-mel, as in a study of emotions, speakers and gender (2021).

Its table prints kernels of 3x3 for the fifth convolution; its size follows from 4x4 only.
"""

from taskgraft.space.front_ends import PRESETS
from taskgraft.space.layers import Convolution, Dropout, Flatten, Linear, MaxPool, Relu
from taskgraft.space.published import Published
from taskgraft.space.tasks import Answer
from taskgraft.space.template import Block, Template
from taskgraft.space.templates.vgg11 import HEAD, SOURCE
from taskgraft.space.templates.width import scaled

_POOL = MaxPool((3, 3), (2, 2))
_CHANNELS, _SIDE = (64, 192, 384, 256, 256, 2_048), 5


def alexnet(width: float = 1.0) -> Template:
    """Return the template."""
    first, second, third, fourth, fifth, hidden = (scaled(channels, width) for channels in _CHANNELS)
    return Template(
        name="alexnet",
        width=width,
        front_end=PRESETS["emotion-image"],
        blocks=(
            Block((Convolution(1, first, (11, 11), (4, 4), (2, 2), bias=True), Relu(), _POOL)),
            Block((Convolution(first, second, (5, 5), bias=True), Relu(), _POOL)),
            Block((Convolution(second, third, bias=True), Relu())),
            Block((Convolution(third, fourth, bias=True), Relu())),
            Block((Convolution(fourth, fifth, (4, 4), padding=(1, 1), bias=True), Relu(), _POOL)),
            Block((Flatten(), Linear(fifth * _SIDE**2, hidden), Relu(), Dropout(0.5))),
        ),
        heads={Answer.CLIP: HEAD},
        summary="5 convolutional blocks and a fully connected one on pictures of log-mel; for comparisons",
        published=(
            Published(
                "4 emotions",
                ((HEAD, 4),),
                frames=512,
                parameters=17_073_348,
                macs=None,
                source=SOURCE,
                remark="with a kernel of 4x4 where its table prints 3x3, which would give 16,614,596",
            ),
        ),
    )
