"""What sources print about encoders, so that ours can be held against it."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskgraft.space import layers
from taskgraft.space.heads import Head
from taskgraft.space.layers import Layer, Shape


@dataclass(frozen=True, slots=True)
class Published:
    """Sizes of a model in its source: what it answers, its heads there, and on how many frames it is run."""

    model: str
    heads: tuple[tuple[Head, int], ...]
    """Heads, and their outputs."""
    frames: int
    parameters: int
    macs: int | None
    source: str
    encoders: int = 1
    """How many of the encoder it has: more than one if it is several models."""
    remark: str = ""
    """Why ours differ."""

    def parameters_of_ours(self, encoder: Sequence[Layer], encoded: Shape) -> int:
        """Return the parameters of our encoder with these heads."""
        heads = sum(head.parameters(encoded, outputs) for head, outputs in self.heads)
        return self.encoders * sum(layer.parameters for layer in encoder) + heads

    def macs_of_ours(self, encoder: Sequence[Layer], shape: Shape) -> int:
        """Return the multiply-accumulates of our encoder with these heads, for an input of this shape."""
        encoded = layers.shapes(tuple(encoder), shape)[-1]
        heads = sum(head.macs(encoded, outputs) for head, outputs in self.heads)
        return self.encoders * layers.macs(tuple(encoder), shape) + heads
