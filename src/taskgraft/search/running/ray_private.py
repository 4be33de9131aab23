"""A local Ray that nobody else can speak to: it listens on loopback alone, and asks for a token of its own.

By itself Ray listens on every interface, and takes the token in the user's home folder, which every user of the machine
can read. Whoever speaks to Ray runs code as us.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from ray._private import ray_constants
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # compiled

_MODE, _TOKEN, _TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_TOKEN_BYTES = 32


@contextmanager
def on_loopback() -> Iterator[None]:
    """Have a Ray that is started in this block listen on loopback alone.

    Ray replaces a node address of 127.0.0.1 by one that other machines reach, except if clusters are switched off, as
    they are by default on macOS.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def own_token() -> Iterator[None]:
    """Have a Ray that is started in this block ask for a new token, which its processes inherit.

    The environment of a process can be read by its user alone. Afterwards it is as it was.
    """
    before = {name: os.environ.get(name) for name in (_MODE, _TOKEN, _TOKEN_PATH)}
    _set({_MODE: "token", _TOKEN: secrets.token_hex(_TOKEN_BYTES), _TOKEN_PATH: None})
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    # Ray has read them when it was imported. The mode goes first: a thread that still ends would miss the token.
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
