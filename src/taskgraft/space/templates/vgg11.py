"""`vgg11` and `vgg11-bn`: VGG11 (Simonyan and Zisserman 2015) on pictures of log-mel, for emotions, speakers, gender.

The first fully connected layer is a block: the three tasks of that study share nine.
"""

from itertools import pairwise

from taskgraft.space.front_ends import PRESETS
from taskgraft.space.heads import MlpHead
from taskgraft.space.layers import BatchNorm, Convolution, Dropout, Flatten, Layer, Linear, MaxPool, Relu
from taskgraft.space.published import Published
from taskgraft.space.tasks import Answer
from taskgraft.space.template import Block, Template
from taskgraft.space.templates.width import scaled

HEAD = MlpHead(hidden=512)
SOURCE = "multi-task learning of emotions, speakers and gender, 2021"
_CHANNELS = (64, 128, 256, 256, 512, 512, 512, 512)
_POOLED = (True, True, False, True, False, True, False, True)
_SIDE, _HIDDEN = 7, 2_048
_THREE_TASKS = Published(
    "3 tasks (4, 10 and 2 classes) that share all blocks",
    ((HEAD, 4), (HEAD, 10), (HEAD, 2)),
    frames=512,
    parameters=63_762_576,
    macs=None,
    source=SOURCE,
)


def vgg11(width: float = 1.0) -> Template:
    """Return the template of the single task."""
    one = Published("4 emotions", ((HEAD, 4),), 512, 61_652_740, None, SOURCE)
    summary = "8 convolutional blocks and a fully connected one on pictures of log-mel; for comparisons"
    return _template("vgg11", summary, (one,), (), width)


def vgg11_bn(width: float = 1.0) -> Template:
    """Return the template with batch normalisation, which the published size of three tasks has."""
    summary = "vgg11 with batch normalisation behind every convolution"
    return _template("vgg11-bn", summary, (_THREE_TASKS,), (BatchNorm,), width)


def _template(
    name: str, summary: str, published: tuple[Published, ...], behind: tuple[type[BatchNorm], ...], width: float
) -> Template:
    """Return the template with these layers behind every convolution."""
    blocks = []
    channels = [1, *(scaled(one, width) for one in _CHANNELS)]
    for (before, after), pooled in zip(pairwise(channels), _POOLED, strict=True):
        layers: list[Layer] = [Convolution(before, after, bias=True), *(kind(after) for kind in behind), Relu()]
        blocks.append(Block((*layers, MaxPool()) if pooled else tuple(layers)))
    blocks.append(Block((Flatten(), Linear(channels[-1] * _SIDE**2, scaled(_HIDDEN, width)), Relu(), Dropout(0.5))))
    return Template(
        name=name,
        width=width,
        front_end=PRESETS["emotion-image"],
        blocks=tuple(blocks),
        heads={Answer.CLIP: HEAD},
        summary=summary,
        published=published,
    )
