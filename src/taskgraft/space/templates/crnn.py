"""`cnn` and `crnn`: one encoder, for scenes and for events; sizes from a study of both (2024), layout ours."""

from taskgraft.space.front_ends import PRESETS
from taskgraft.space.heads import AttentionHead, BiGruHead, WeighedBiGruHead
from taskgraft.space.published import Published
from taskgraft.space.tasks import Answer
from taskgraft.space.template import Block, Template, conv_blocks
from taskgraft.space.templates.width import scaled

_CHANNELS = (12, 28, 28, 32, 32, 32, 32, 28)
_STRIDES = ((1, 1), (2, 2), (2, 2), (2, 1), (1, 1), (2, 1), (1, 1), (1, 1))
_ATTENTION, _POOLED = AttentionHead(hidden=24), WeighedBiGruHead(hidden=128)
_SOURCE, _CLASSES = "joint scene classification and sound event detection, 2024", 10


def _encoder(width: float) -> tuple[Block, ...]:
    return conv_blocks([scaled(one, width) for one in _CHANNELS], _STRIDES)


def cnn(width: float = 1.0) -> Template:
    """Return the template for scenes."""
    return Template(
        name="cnn",
        width=width,
        front_end=PRESETS["scene"],
        blocks=_encoder(width),
        heads={Answer.CLIP: _ATTENTION},
        published=(Published("10 scenes", ((_ATTENTION, _CLASSES),), 100, 60_000, 29_000_000, _SOURCE),),
        summary="8 convolutional blocks on 128 log-mel bands; 54k parameters per encoder, one time step per 40 ms",
    )


def crnn(width: float = 1.0) -> Template:
    """Return the template for events, and scenes beside them."""
    return Template(
        name="crnn",
        width=width,
        front_end=PRESETS["scene"],
        blocks=_encoder(width),
        heads={Answer.CLIP: _ATTENTION, Answer.STEPS: BiGruHead(hidden=128), Answer.POOLED_STEPS: _POOLED},
        published=(
            Published("10 events", ((_POOLED, _CLASSES),), 100, 628_000, 43_000_000, _SOURCE),
            Published(
                "10 scenes and 10 events",
                ((_ATTENTION, _CLASSES), (_POOLED, _CLASSES)),
                frames=100,
                parameters=633_500,
                macs=43_200_000,
                source=_SOURCE,
            ),
        ),
        summary="the encoder of cnn with two bidirectional recurrent layers behind it for every task about time steps",
    )
