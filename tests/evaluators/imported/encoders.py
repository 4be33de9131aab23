"""Encoders as users write them, good and bad."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def block(before: int, after: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


def make() -> nn.Sequential:
    """Four blocks, one of them without weights that would work in place."""
    return nn.Sequential(block(1, 4, (2, 2)), block(4, 4, (2, 1)), nn.ReLU(inplace=True), block(4, 6, (2, 2)))


ENCODER = make()


class Recurrent(nn.Module):
    """Takes channels and bands of each frame through a recurrence."""

    def __init__(self, kind: type[nn.GRU] | type[nn.LSTM]) -> None:
        super().__init__()
        self.recur = kind(6 * 8, 5, batch_first=True, bidirectional=True)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.recur(inputs.permute(0, 3, 1, 2).flatten(2))[0]
        return outputs.transpose(1, 2)[:, :, None]


class Attentive(nn.Module):
    """Self-attention over frames."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        steps = inputs.mean(2).transpose(1, 2)
        outputs: Tensor = self.attend(steps, steps, steps, need_weights=False)[0]
        return outputs.transpose(1, 2)[:, :, None]


class Weighed(nn.Module):
    """Has a table of weights that no product of matrices uses."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(4, 32))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.table[..., None]


Deed = Callable[[Tensor], Tensor | tuple[Tensor, int]]
DEEDS: dict[str, Deed] = {
    "changes in place": lambda inputs: inputs.mul_(2),
    "a tuple": lambda inputs: (inputs, 1),
    "steps": lambda inputs: inputs.flatten(1, 2),
    "whole numbers": lambda inputs: inputs.argmax(1, keepdim=True),
    "one clip": lambda inputs: inputs[:1],
    "nothing": lambda inputs: inputs[:, :0],
    "turned": lambda inputs: inputs.transpose(2, 3),
    "unsteady": lambda inputs: inputs[..., : int(inputs.shape[3] ** 0.5)],
}


class Doing(nn.Module):
    """Does one thing that no block may do."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, inputs: Tensor) -> Tensor | tuple[Tensor, int]:
        return DEEDS[self.what](inputs)


def gru() -> nn.Sequential:
    return nn.Sequential(*make(), Recurrent(nn.GRU))


def lstm() -> nn.Sequential:
    return nn.Sequential(*make(), Recurrent(nn.LSTM))


def attention() -> nn.Sequential:
    return nn.Sequential(block(1, 8, (2, 2)), Attentive())


def weighed() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), Weighed())


def without_time() -> nn.Sequential:
    return nn.Sequential(*make(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))


def unpadded() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())


def doing(what: str) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3, 1, 1), Doing(what))


def in_place() -> nn.Sequential:
    return doing("changes in place")


def a_tuple() -> nn.Sequential:
    return doing("a tuple")


def steps() -> nn.Sequential:
    return doing("steps")


def whole_numbers() -> nn.Sequential:
    return doing("whole numbers")


class Masked(nn.Module):
    """Has a buffer of truth values."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(64, 1, dtype=torch.bool))

    def forward(self, features: Tensor) -> Tensor:
        return features * self.mask


def masked() -> nn.Sequential:
    return nn.Sequential(Masked(), block(1, 4, (2, 2)))


def one_clip() -> nn.Sequential:
    return doing("one clip")


def nothing() -> nn.Sequential:
    return doing("nothing")


def turned() -> nn.Sequential:
    return doing("turned")


def unsteady() -> nn.Sequential:
    return doing("unsteady")


def misfit() -> nn.Sequential:
    return nn.Sequential(block(1, 4, (2, 2)), nn.Conv2d(5, 4, 3))


def flattened() -> nn.Sequential:
    """Fits clips of one second, and no other."""
    return nn.Sequential(block(1, 4, (2, 2)), nn.Flatten(), nn.Linear(4 * 32 * 50, 8))


def tied() -> nn.Sequential:
    shared = nn.Conv2d(4, 4, 3, 1, 1)
    return nn.Sequential(nn.Conv2d(1, 4, 3, 1, 1), shared, nn.ReLU(), shared)


def doubles() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3)).double()


def frozen() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3).requires_grad_(False), nn.Conv2d(4, 4, 3))


def lazy() -> nn.Sequential:
    return nn.Sequential(nn.LazyConv2d(4, 3))


def empty() -> nn.Sequential:
    return nn.Sequential()


def many() -> nn.Sequential:
    return nn.Sequential(*(nn.ReLU() for _ in range(65)))


def raising() -> nn.Sequential:
    print("before it raises")  # noqa: T201
    raise RuntimeError("no weights\nanywhere")


def leaving() -> nn.Sequential:
    raise SystemExit(3)


def needing(size: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, size, 3))


def no_sequential() -> nn.Module:
    return nn.Conv2d(1, 4, 3)


NUMBER = 3
WEIGHED = weighed()


class Named(nn.Sequential):
    """A class can be called without arguments, too."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(1, 4, 3, 1, 1), nn.ReLU())


class Addressed(nn.Module):
    """Shows where in memory a function lies."""

    def extra_repr(self) -> str:
        return repr(lambda: None)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


def addressed() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3, 1, 1), Addressed())


def seeding_itself() -> nn.Sequential:
    torch.manual_seed(5)
    return make()
