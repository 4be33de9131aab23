"""The health check of a runner's container: ``python -m taskgraft.search.running.alive``."""

import os
import socket
from datetime import timedelta

from taskgraft.errors import TaskgraftError, Unavailable
from taskgraft.search.store import Store

_SILENCE = timedelta(seconds=30)


def check_alive(database_url: str, host: str) -> None:
    """Check that a runner on this host has shown itself lately.

    Raises:
        Unavailable: it has not, or the database fails.
    """
    with Store(database_url) as store:
        silence = store.runner_silence(host)
    if silence is None:
        raise Unavailable(f"no runner on {host} has shown itself yet")
    if silence > _SILENCE:
        raise Unavailable(f"the runner on {host} has been silent for {silence.total_seconds():.0f} s")


def main() -> int:
    """Return 0 if a runner on this host is alive, 1 otherwise. The database's URL comes by the environment."""
    try:
        check_alive(os.environ.get("TASKGRAFT_DATABASE_URL", ""), socket.gethostname())
    except TaskgraftError as error:
        print(error)  # noqa: T201  # shown with the container's health
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
