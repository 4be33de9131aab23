"""Multiply-accumulates of a module, by torch's own counter of operations."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(module: nn.Module, clips: Tensor) -> tuple[Tensor, int, tuple[str, ...]]:
    """Return what a module makes of clips [n, ...], its multiply-accumulates for each of them, and what is not counted.

    Those of convolutions, products of matrices, recurrences and attention are counted. Modules that hold tables of
    weights and ran without any of these are named.
    """
    with FlopCounterMode(display=False) as counter, _calls(module) as called:
        outputs = module(clips)
    counts = {name: sum(by_operation.values()) for name, by_operation in counter.get_flop_counts().items()}
    uncounted = tuple(
        f"{name} ({type(part).__name__})".strip()
        for name, part in module.named_modules()
        if name in called and _has_table(part) and not counts.get(_counted_as(module, name))
    )
    return outputs, counter.get_total_flops() // (2 * len(clips)), uncounted


def _counted_as(module: nn.Module, name: str) -> str:
    """Return torch's name for a module inside of another one."""
    return f"{type(module).__name__}.{name}" if name else type(module).__name__


def _has_table(part: nn.Module) -> bool:
    """Return whether a module holds weights that are more than one number for each channel."""
    return any(sum(size > 1 for size in one.shape) > 1 for one in part.parameters(recurse=False))


@contextmanager
def _calls(module: nn.Module) -> Iterator[set[str]]:
    """Yield the names of the modules that are called, as far as they are by now."""
    called: set[str] = set()

    def note(name: str) -> torch.utils.hooks.RemovableHandle:
        return module.get_submodule(name).register_forward_hook(lambda *_: called.add(name))

    handles = [note(name) for name, _ in module.named_modules()]
    try:
        yield called
    finally:
        for handle in handles:
            handle.remove()
