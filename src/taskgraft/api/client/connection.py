"""What both clients do alike about their connection: settings, errors, and when to stop watching."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from taskgraft.errors import Unavailable
from taskgraft.search.study.states import State

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


@contextmanager
def transport_errors(url: object) -> Iterator[None]:
    """Raise `Unavailable` for everything that goes wrong between the client and the service at ``url``."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"no response from {url}: {error or type(error).__name__}") from error


def settings(url: str, token: str | None) -> dict[str, Any]:
    """Return the settings of an httpx client.

    Raises:
        Unavailable: ``url`` is not a URL.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        base_url = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Unavailable(f"{url!r} is not the URL of a service: {error}") from error
    return {"base_url": base_url, "headers": headers, "timeout": _TIMEOUT}


def is_over(study: Mapping[str, Any], *, stop_when_paused: bool) -> bool:
    """Return whether there is nothing left to watch."""
    state = State(study["state"])
    return state.is_final or (stop_when_paused and state is State.PAUSED)
