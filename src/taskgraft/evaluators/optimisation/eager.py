"""Torch's optimisers without torch's compiler, which they import as soon as they are made, to keep it out of their way.

That import takes a second of a core and 70 MB in every process that trains, and nothing is compiled there.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

_COMPILER = "torch._dynamo"
_Function = TypeVar("_Function", bound=Callable[..., Any])


class _StandIn(ModuleType):
    """Has what optimisers ask the compiler for: to leave a function alone. Asked for more, it loads the compiler."""

    @staticmethod
    def disable(function: _Function, *_: object, **__: object) -> _Function:
        return function

    @staticmethod
    def graph_break() -> None:
        pass

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        _forget(self)
        return getattr(import_module(_COMPILER), name)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Let optimisers be made, and take their steps, in this block without the compiler; use it if it is loaded."""
    if _COMPILER in sys.modules:
        yield
        return
    stand_in = _StandIn(_COMPILER)
    sys.modules[_COMPILER] = stand_in
    try:
        yield
    finally:
        _forget(stand_in)


def _forget(stand_in: ModuleType) -> None:
    if sys.modules.get(_COMPILER) is stand_in:
        del sys.modules[_COMPILER]
