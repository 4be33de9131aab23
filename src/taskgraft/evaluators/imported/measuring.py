"""Measures users' own encoders: parameters, shapes, time strides, multiply-accumulates.

Shapes and operations come from torch's device without numbers ("meta").
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.imported.checking import check_encoder
from taskgraft.evaluators.imported.code import users_code
from taskgraft.evaluators.imported.counting import count_macs
from taskgraft.evaluators.imported.making import make_encoder, structure_digest, weights_digest
from taskgraft.evaluators.imported.time_axis import time_of
from taskgraft.space.front_ends import PRESETS, AnyFrontEnd
from taskgraft.space.imported import BlockSize, ImportedEncoder
from taskgraft.space.layers import Shape

DEFAULT_FRONT_END = "default"
_CLIPS = 2
_MOST_LENGTHS = 96
"""How many lengths of input are tried, each a frame longer, until the time stride is known."""
_STEPS = 4
"""Different numbers of frames that come out until then: one more than two whole strides show."""
_MOST_LETTERS = 80


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a block made of an input, whether that was [n, numbers], and what it counted."""

    takes: Shape
    gives: Shape
    is_flat: bool
    macs: int
    uncounted: tuple[str, ...]


def measure_encoder(place: str, front_end: str | None = None) -> ImportedEncoder:
    """Import a user's encoder and return what was measured of it behind a front end.

    Raises:
        InvalidInput: at ``template``: it is none, or a block can't take what comes before it; at ``front_end``: there
            is no such front end.
    """
    name = front_end or DEFAULT_FRONT_END
    if name not in PRESETS:
        raise InvalidInput.at("front_end", f"no front end {name!r}; there is {', '.join(PRESETS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = make_encoder(place)
    check_encoder(encoder, place)
    with users_code(f"{place} can't be measured"):
        digests = structure_digest(encoder, place), weights_digest(encoder)
        passes = _passes(copy.deepcopy(encoder).to("meta").eval(), PRESETS[name], place)
    sizes = tuple(
        _size(block, [one[index] for one in passes], _named(place, index, block)) for index, block in enumerate(encoder)
    )
    uncounted = [f"block {index}{what}" for index, seen in enumerate(passes[0]) for what in seen.uncounted]
    return ImportedEncoder(place, name, *digests, sizes, tuple(uncounted))


def _size(block: nn.Module, seen: Sequence[_Seen], named: str) -> BlockSize:
    first = seen[0]
    try:
        time = time_of([(one.takes, one.gives) for one in seen], first.is_flat)
    except InvalidInput as error:
        raise InvalidInput.at("template", f"{named} {error.faults[0].message}") from None
    parameters = sum(parameter.numel() for parameter in block.parameters())
    found = (first.takes, first.gives, parameters, first.macs, time.stride, time.offset)
    return BlockSize(*found, is_fixed=time.is_lost, is_flat=first.is_flat)


def _passes(encoder: nn.Sequential, front_end: AnyFrontEnd, place: str) -> list[list[_Seen]]:
    """Return passes of a second of audio, and of longer inputs until enough numbers of frames have come out."""
    frames = front_end.crop or round(front_end.frames_per_second)
    passes = [_pass(encoder, front_end.shape(frames), place, counts=True)]
    ends = {passes[0][-1].gives[2]}
    while front_end.crop is None and len(passes) <= _MOST_LENGTHS and len(ends) < _STEPS:
        passes.append(_pass(encoder, front_end.shape(frames + len(passes)), place))
        ends.add(passes[-1][-1].gives[2])
    return passes


def _pass(encoder: nn.Sequential, shape: Shape, place: str, counts: bool = False) -> list[_Seen]:
    """Send clips of one shape through all blocks; if it ``counts``, which takes longer, operations are counted."""
    seen: list[_Seen] = []
    clips = torch.empty(_CLIPS, *shape, device="meta")
    for index, block in enumerate(encoder):
        named, before, version = _named(place, index, block), clips, clips._version
        with users_code(f"{named} can't take {_written(before.shape)}"), torch.device("meta"), torch.no_grad():
            clips, macs, uncounted = count_macs(block, before) if counts else (block(before), 0, ())
        _check_output(clips, named)
        if before._version != version:
            raise InvalidInput.at("template", f"{named} changes its input in place: other branches take the same one")
        more = tuple(f".{one}" if one[0] != "(" else f" {one}" for one in uncounted)
        seen.append(_Seen(_shape(before), _shape(clips), before.dim() == 2, macs, more))
    return seen


def _check_output(outputs: object, named: str) -> None:
    rule = "a block gives one tensor [n, channels, bands, frames], or [n, numbers] without a time axis"
    if not isinstance(outputs, Tensor):
        raise InvalidInput.at("template", f"{rule}; {named} gives {type(outputs).__name__}")
    if outputs.dim() not in (2, 4) or len(outputs) != _CLIPS or not outputs.is_floating_point():
        what = f"{_written(outputs.shape)} of {str(outputs.dtype).removeprefix('torch.')}"
        raise InvalidInput.at("template", f"{rule}; {named} gives {what} for {_CLIPS} clips")
    if not outputs.numel():
        raise InvalidInput.at("template", f"{named} gives nothing: {_written(outputs.shape)}")


def _shape(clips: Tensor) -> Shape:
    sizes = (*clips.shape[1:], 1, 1)
    return sizes[0], sizes[1], sizes[2]


def _written(shape: torch.Size) -> str:
    return f"[{', '.join(map(str, ('n', *shape[1:])))}]"


def _named(place: str, index: int, block: nn.Module) -> str:
    described = repr(block)
    is_short = len(described) <= _MOST_LETTERS and "\n" not in described
    return f"block {index} of {place} ({described if is_short else type(block).__name__})"
