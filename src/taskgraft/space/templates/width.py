"""Narrower encoders: the same layers with fewer channels."""


def scaled(channels: int, width: float, of: int = 1) -> int:
    """Return ``width`` times so many channels as a multiple of ``of``, at least one of it."""
    return of * max(1, round(channels * width / of))
