"""Blocks of users' own encoders: made anew for every branch, from torch's random state at that time."""

import copy
import hashlib
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.imported.code import find, source_digest, users_code
from taskgraft.space.imported import ImportedBlock

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class Imported(nn.Module):
    """A user's block between ours: it takes and gives [n, c, f, t], whatever its own shapes without a time axis are."""

    def __init__(self, module: nn.Module, is_flat: bool) -> None:
        super().__init__()
        self.module = module
        self._is_flat = is_flat

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [n, c, f, t] to the shape that was measured; [n, d] becomes [n, d, 1, 1]."""
        outputs: Tensor = self.module(inputs.flatten(1) if self._is_flat else inputs)
        return outputs if outputs.dim() == 4 else outputs[:, :, None, None]


def build_imported(spec: ImportedBlock) -> nn.Module:
    """Return the module of a block with weights of its own, drawn from torch's random state.

    Raises:
        InvalidInput: it can't be imported, or is not what was measured.
    """
    encoder = make_encoder(spec.place)
    if structure_digest(encoder, spec.place) != spec.digest:
        raise InvalidInput.at("template", f"{spec.place} is not what it was when the study was read: {_CHANGED}")
    return Imported(list(encoder)[spec.index], spec.size.is_flat)


_CHANGED = "its source, or the module that it makes, has changed; start a new study, or take the change back"


def make_encoder(place: str) -> nn.Sequential:
    """Return a user's encoder with fresh weights, and nothing in it that works in place.

    The random state of torch moves by a single draw, whatever the user's code does with it.

    Raises:
        InvalidInput: at ``template``: it can't be imported or made, is not an `nn.Sequential`, or can't be drawn anew.
    """
    found = find(place)
    with _own_random_state(), users_code(f"{place} can't be made"):
        encoder = _drawn_anew(found, place) if isinstance(found, nn.Sequential) else _called(found, place)
    for module in encoder.modules():  # blocks of several branches take one and the same tensor
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]
    return encoder


def _called(found: object, place: str) -> nn.Sequential:
    if not callable(found):
        raise _is_none(place, f"it is {found!r:.80}")
    made = found()
    if not isinstance(made, nn.Sequential):
        raise _is_none(place, f"it returned {type(made).__name__}")
    return made


def _is_none(place: str, what: str) -> InvalidInput:
    rule = "an encoder of your own is an nn.Sequential, or a callable without arguments that returns one"
    return InvalidInput.at("template", f"{rule}; {place} is not: {what}")


def _drawn_anew(encoder: nn.Sequential, place: str) -> nn.Sequential:
    """Return a copy in which every module has drawn its weights again, those inside of others first."""
    fresh = copy.deepcopy(encoder)
    for name, module in [*fresh.named_modules()][::-1]:
        reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
        if callable(reset):
            reset()
        elif any(True for _ in module.parameters(recurse=False)):
            kind = f"{name or 'the encoder'} ({type(module).__name__})"
            how = f"give it the method reset_parameters, or let {place} be a function that makes the encoder"
            raise InvalidInput.at("template", f"{kind} has weights that can't be drawn anew for every branch: {how}")
    return fresh


@contextmanager
def _own_random_state() -> Iterator[None]:
    """Give a user's code random states that follow from torch's, and put all of them back."""
    seed = int(torch.randint(2**32, (), device="cpu"))
    python, numpy = random.getstate(), np.random.get_state()  # users' code may draw from it
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def structure_digest(encoder: nn.Sequential, place: str) -> str:
    """Return a digest of an encoder's structure and source: equal ones make equal modules of equal random states."""
    state = [(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in encoder.state_dict().items()]
    described = f"{_ADDRESS.sub('', repr(encoder))}\n{state}\n"
    classes = {type(module) for module in encoder.modules()}
    return hashlib.sha256(f"{described}{source_digest(place, classes)}".encode()).hexdigest()


def weights_digest(encoder: nn.Sequential) -> str:
    """Return a digest of all numbers of an encoder: of those that it loads from files, too."""
    total = hashlib.sha256()
    for name, tensor in encoder.state_dict().items():
        total.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        total.update(tensor.detach().contiguous().numpy().tobytes())
    return total.hexdigest()
