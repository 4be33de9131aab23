"""`cnn8`: eight convolutions for a study's usual questions; sized after the published four-task template."""

from taskgraft.space.front_ends import LogMel
from taskgraft.space.heads import AttentionHead, GruHead
from taskgraft.space.published import Published
from taskgraft.space.tasks import Answer
from taskgraft.space.template import Template, conv_blocks
from taskgraft.space.templates.width import scaled

_CHANNELS = (16, 16, 19, 21, 21, 21, 21, 21)
_STRIDES = ((2, 2), (2, 2), (1, 1), (2, 1), (1, 1), (2, 1), (1, 1), (1, 1))
_ATTENTION, _GRU = AttentionHead(hidden=32), GruHead(hidden=28)


def cnn8(width: float = 1.0) -> Template:
    """Return the template."""
    return Template(
        name="cnn8",
        width=width,
        front_end=LogMel(),
        blocks=conv_blocks([scaled(one, width) for one in _CHANNELS], _STRIDES),
        heads={Answer.CLIP: _ATTENTION, Answer.STEPS: _GRU},
        published=(
            Published(
                "4 tasks apart (2, 3 and 35 classes, voice activity)",
                ((_ATTENTION, 2), (_ATTENTION, 3), (_ATTENTION, 35), (_GRU, 1)),
                frames=100,
                parameters=120_000,
                macs=None,
                source="hierarchical multi-task learning for speech tasks, 2026",
                encoders=4,
                remark="only sizes are published: kernels, strides and widths of the heads are ours",
            ),
        ),
        summary="8 convolutional blocks on 64 log-mel bands; 25k parameters per encoder, one time step per 40 ms",
    )
