"""How many frames a block gives for how many it takes, from what was seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskgraft.errors import InvalidInput
from taskgraft.space.layers import Shape


@dataclass(frozen=True, slots=True)
class Time:
    """``(frames + offset) // stride`` frames, as any row of convolutions and pools gives; or a lost time axis."""

    stride: int = 1
    offset: int = 0
    is_lost: bool = False


LOST = Time(is_lost=True)


def time_of(seen: Sequence[tuple[Shape, Shape]], is_flat: bool = False) -> Time:
    """Return what fits all pairs of shapes before and behind a block, of inputs that differ in frames.

    If all inputs, or all outputs, have the same frames, the time axis is lost.

    Raises:
        InvalidInput: channels or bands differ, or no stride explains how many frames come out.

    >>> time_of([((1, 8, frames), (4, 4, -(-frames // 2))) for frames in range(10, 16)])
    Time(stride=2, offset=1, is_lost=False)
    """
    if len({gives[:2] for _, gives in seen}) > 1:
        found = sorted({gives[:2] for _, gives in seen})[:2]
        raise InvalidInput.at("template", f"gives other channels or bands for more frames: {found[0]} and {found[1]}")
    pairs = sorted({(takes[2], gives[2]) for takes, gives in seen})
    if is_flat or len(dict(pairs)) < 2 or len({after for _, after in pairs}) < 2:
        return LOST
    for stride in range(1, pairs[-1][0] + 1):
        least = max(after * stride - before for before, after in pairs)
        most = min((after + 1) * stride - 1 - before for before, after in pairs)
        if least <= most:
            return Time(stride, least)
    raise InvalidInput.at(
        "template",
        f"gives no steady number of frames: {pairs[0][1]} to {pairs[-1][1]} for {pairs[0][0]} to {pairs[-1][0]}",
    )
