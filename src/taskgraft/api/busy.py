"""That the service can't do more at the moment, and when to ask again."""

from taskgraft.errors import Unavailable

RETRY_SECONDS = 5


class Busy(Unavailable):
    """The service has too much to do, or is not done yet: HTTP 503 with `Retry-After`."""

    def __init__(self, message: str, retry_seconds: int = RETRY_SECONDS) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds
