"""Words of a training's recipe, for studies that are written and checked without torch."""

from enum import StrEnum


class MaskWidth(StrEnum):
    """How wide the masks of a batch are."""

    UNIFORM = "uniform"
    """Drawn from 0 to the largest share of the axis, for every clip."""
    FIXED = "fixed"
    """The largest share of the axis."""
