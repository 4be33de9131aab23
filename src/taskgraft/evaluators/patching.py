"""Another value under a name of another library, for as long as it is needed: where it has no setting."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Let a module have ``value`` under ``name``; nothing happens if it has no such name."""
    before = vars(module).get(name)
    if before is None:
        yield
        return
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
