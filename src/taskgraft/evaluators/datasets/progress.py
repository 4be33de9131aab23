"""How slow work reports its progress."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how many are done, of how many; it may raise to end the work early."""


def unnoticed(done: int, total: int) -> None:
    """Ignore the progress."""
