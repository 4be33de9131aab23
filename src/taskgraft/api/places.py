"""What has to be there before a service starts: its data folder, and a token if others can reach it."""

import os
from ipaddress import ip_address

from taskgraft.api.settings import Settings
from taskgraft.errors import InvalidInput, Unavailable
from taskgraft.search.store import Store


def make_data_dir(settings: Settings) -> None:
    """Make the data folder.

    Raises:
        Unavailable: it can't be made or written.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"the data folder {settings.data_dir} cannot be made: {error.strerror}") from error
    if not os.access(settings.data_dir, os.W_OK | os.X_OK):
        raise Unavailable(f"the data folder {settings.data_dir} cannot be written")


def check_has_token(settings: Settings, store: Store) -> None:
    """Check that a service which other machines can reach has a token to ask for.

    Raises:
        InvalidInput: at ``host``: it has none.
    """
    if not (is_loopback(settings.host) or store.tokens.exist()):
        rule = (
            "a service that other machines can reach needs a token: taskgraft token create NAME --scope admin makes one"
        )
        raise InvalidInput.at("host", f"{rule} in this database; got {settings.host}")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
