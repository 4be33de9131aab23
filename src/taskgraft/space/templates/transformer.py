"""`transformer-s`: self-attention over patches (Dosovitskiy et al. 2021), sized for devices."""

from taskgraft.space.front_ends import LogMel
from taskgraft.space.heads import AttentionHead, GruHead
from taskgraft.space.layers import Convolution, LayerNorm, Positions, TransformerLayer
from taskgraft.space.tasks import Answer
from taskgraft.space.template import Block, Template
from taskgraft.space.templates.width import scaled

_CHANNELS, _HEADS, _LAYERS = 96, 4, 4
_PATCH = (16, 4)
_MOST_STEPS = 1_500
"""Positions in time: 60 s of clips in one piece."""


def transformer_s(width: float = 1.0) -> Template:
    """Return the template."""
    front_end, channels = LogMel(), scaled(_CHANNELS, width, of=_HEADS)
    layer = TransformerLayer(channels, _HEADS, 2 * channels)
    patches = Convolution(1, channels, _PATCH, _PATCH, padding=(0, 0), bias=True)
    positions = Positions(channels, front_end.bands // _PATCH[0], _MOST_STEPS)
    first, *between, last = ((layer,) for _ in range(_LAYERS))
    blocks = ((patches, positions, *first), *between, (*last, LayerNorm(channels)))
    return Template(
        name="transformer-s",
        width=width,
        front_end=front_end,
        blocks=tuple(map(Block, blocks)),
        heads={Answer.CLIP: AttentionHead(hidden=32), Answer.STEPS: GruHead(hidden=28)},
        summary="4 transformer layers on patches of 16 bands x 40 ms; for comparisons",
    )
