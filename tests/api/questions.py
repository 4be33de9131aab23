"""Questions that take their time, to be asked of a worker's process."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskgraft.errors import Conflict
from taskgraft.search.store import Store


@dataclass(frozen=True)
class Slow:
    """Takes some seconds; notes in a file that it was begun, and that it was finished."""

    name: str
    notes: Path
    seconds: float = 0.0

    def answer(self, store: Store) -> Any:
        self._note("begun")
        time.sleep(self.seconds)
        self._note("finished")
        return self.name, os.getpid()

    def _note(self, what: str) -> None:
        with self.notes.open("a") as file:
            file.write(f"{self.name} {what}\n")


@dataclass(frozen=True)
class Wrong:
    """Has no answer."""

    expected: bool

    def answer(self, store: Store) -> Any:
        if self.expected:
            raise Conflict("not now")
        raise ZeroDivisionError("a fault")


@dataclass(frozen=True)
class Deadly:
    """Ends the process that is to answer it."""

    def answer(self, store: Store) -> Any:
        os._exit(3)
