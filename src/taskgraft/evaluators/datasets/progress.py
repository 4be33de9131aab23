"""How work that takes a while says how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told how many are done, of how many; it may raise to end the work early."""


def unnoticed(done: int, total: int) -> None:
    """Progress that nobody watches."""
