"""Patience with a database that is away: what it interrupts is done when it is back."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from taskgraft.search.store import DatabaseAway

T = TypeVar("T")

_log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class Patience:
    """Repeats what an outage of the database interrupts, until it is done or the work on the study is to stop.

    Nobody can take the study from its runner while the database is away, however long that is. When it is back, the
    lease decides.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()

    def insist(self, action: Callable[[], T]) -> T:
        """Return what ``action`` returns; it has to be one that may be done twice.

        Raises:
            DatabaseAway: the work is to stop, and the database is still away.
        """
        for pause in _pauses():
            try:
                return action()
            except DatabaseAway as error:
                if self._stop.is_set():
                    raise
                _log.warning("%s; it is asked again in %.1f s", error, pause)
            time.sleep(pause)  # not `self._stop.wait`: a signal handler of this very thread may set it, and would hang
        raise AssertionError("pauses never end")


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
