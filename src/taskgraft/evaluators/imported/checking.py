"""What a user's encoder has to be before anything is measured of it."""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from taskgraft.errors import Fault, InvalidInput
from taskgraft.space.imported import MAX_BLOCKS


def check_encoder(encoder: nn.Sequential, place: str) -> None:
    """Check the blocks and weights of an encoder.

    Raises:
        InvalidInput: at ``template``, with everything that is wrong.
    """
    if faults := [Fault("template", f"{place}: {message}") for message in _wrong(encoder)]:
        raise InvalidInput(faults)


_BUFFERS = (torch.float32, torch.int64, torch.uint8)
"""What saved states of trainings hold."""


def _wrong(encoder: nn.Sequential) -> Iterator[str]:
    blocks = list(encoder)
    if not 1 <= len(blocks) <= MAX_BLOCKS:
        yield f"an encoder has 1 to {MAX_BLOCKS} children, each one block; got {len(blocks)}"
    users: dict[int, str] = {}
    for name, parameter in encoder.named_parameters(remove_duplicate=False):
        if id(parameter) in users:
            yield f"{name} and {users[id(parameter)]} are the same weights: blocks of a tree can't be tied"
        users[id(parameter)] = name
        if isinstance(parameter, UninitializedParameter):
            yield f"{name} has no shape yet: lazy modules can't be measured"
        elif parameter.dtype != torch.float32:
            yield f"weights are float32; {name} is {str(parameter.dtype).removeprefix('torch.')}"
        elif not parameter.requires_grad:
            yield f"{name} is not trained (requires_grad is False): make it a buffer"
    for name, buffer in encoder.named_buffers():
        if buffer.dtype not in _BUFFERS:
            yield f"buffers are float32, int64 or uint8; {name} is {str(buffer.dtype).removeprefix('torch.')}"
