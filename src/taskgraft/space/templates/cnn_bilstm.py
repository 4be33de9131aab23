"""`cnn-bilstm`: convolutions, then a memory in both directions.

As in a text on speech tasks (2023), which leaves open how many convolutions there are.
"""

from itertools import pairwise

from taskgraft.space.front_ends import LogMel
from taskgraft.space.heads import MeanHead, StepHead
from taskgraft.space.layers import BandMean, BatchNorm, BiLstm, Convolution, Layer, MaxPool, Relu
from taskgraft.space.tasks import Answer
from taskgraft.space.template import Block, Template
from taskgraft.space.templates.width import scaled

_CHANNELS = (32, 64, 128)
_HIDDEN = 256


def cnn_bilstm(width: float = 1.0) -> Template:
    """Return the template."""
    channels, hidden = [1, *(scaled(one, width) for one in _CHANNELS)], scaled(_HIDDEN, width)
    convolutions = [_pooled(before, after) for before, after in pairwise(channels)]
    convolutions[-1] = (*convolutions[-1], BandMean())
    memories = [(BiLstm(inputs, hidden),) for inputs in (channels[-1], 2 * hidden)]
    return Template(
        name="cnn-bilstm",
        width=width,
        front_end=LogMel(),
        blocks=tuple(map(Block, (*convolutions, *memories))),
        heads={Answer.CLIP: MeanHead(), Answer.STEPS: StepHead()},
        summary="3 convolutional blocks and 2 layers of a bidirectional LSTM on 64 log-mel bands; for comparisons",
    )


def _pooled(before: int, after: int) -> tuple[Layer, ...]:
    return Convolution(before, after), BatchNorm(after), Relu(), MaxPool()
