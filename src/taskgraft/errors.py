"""The one error tree.

    TaskgraftError
    ├── InvalidInput        what the caller gave breaks a rule: HTTP 422, exit 2
    │   └── MalformedInput  it could not even be read (broken JSON, CSV, YAML): HTTP 400, exit 2
    ├── NotAuthenticated    no token that the service knows: HTTP 401, exit 2
    ├── Forbidden           the token may not do this, or another web page asks: HTTP 403, exit 2
    ├── NotFound            no such study, dataset, artifact: HTTP 404, exit 2
    ├── Conflict            not allowed in this state: HTTP 409, exit 2
    │   └── LeaseLost       another runner has taken the study: HTTP 409, exit 2
    ├── QuotaExceeded       the token has as much as it may have: HTTP 429, exit 2
    ├── Unavailable         a database, a port, a disk or a service that does not answer: HTTP 503, exit 1
    └── TrainingFailed      a training ended without a measurement: the study fails, exit 1

Every lower error (of SQLAlchemy, Ray, soundfile, the file system) is turned into one of these where it happens;
the doors in ``api`` turn these into a status or an exit code.
"""

from collections.abc import Iterable
from dataclasses import dataclass

MAX_FAULTS = 100
"""Faults that one error lists; an input with more is repaired faster from its first hundred."""
_MAX_IN_MESSAGE = 10
_LONGEST_PLACE = 300
"""Characters of a fault's place: the name of an unknown field may be as long as the request."""


_WHAT_IT_ASKS_FOR = "this service asks for a token: Authorization: Bearer TOKEN; commands take it from TASKGRAFT_TOKEN"


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule: where it is (a field's path, or a file and line) and what the rule and the value are."""

    where: str
    message: str

    def __post_init__(self) -> None:
        if len(self.where) > _LONGEST_PLACE:
            object.__setattr__(self, "where", f"{self.where[:_LONGEST_PLACE]}...")

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class TaskgraftError(Exception):
    """Root of every error that Taskgraft raises on purpose."""


class InvalidInput(TaskgraftError):
    """The input breaks one or more rules.

    ``faults`` holds the first `MAX_FAULTS` of them, ``more`` says how many there are beyond these.
    """

    def __init__(self, faults: Iterable[Fault], more: int = 0) -> None:
        found = tuple(faults)
        self.faults = found[:MAX_FAULTS]
        self.more = more + len(found) - len(self.faults)
        said = [str(fault) for fault in self.faults[:_MAX_IN_MESSAGE]]
        left_out = len(self.faults) - len(said) + self.more
        super().__init__("; ".join([*said, f"and {left_out:,} more"] if left_out else said))

    @classmethod
    def at(cls, where: str, message: str) -> "InvalidInput":
        """Return the common case of a single fault."""
        return cls([Fault(where, message)])

    def listed(self) -> tuple[Fault, ...]:
        """Return ``faults``, and as the last one how many more there are."""
        return (*self.faults, Fault("", f"and {self.more:,} more")) if self.more else self.faults

    def __reduce__(self) -> tuple[type["InvalidInput"], tuple[tuple[Fault, ...], int]]:
        return type(self), (self.faults, self.more)


class MalformedInput(InvalidInput):
    """The input could not be parsed at all."""


class NotAuthenticated(TaskgraftError):
    """The service asks for a token, and got none that it knows."""

    def __init__(self, message: str = _WHAT_IT_ASKS_FOR) -> None:
        super().__init__(message)


class Forbidden(TaskgraftError):
    """Whoever asks is known, but may not do this."""


class NotFound(TaskgraftError):
    """What was asked for does not exist."""


class Conflict(TaskgraftError):
    """The request is sound, but the present state does not allow it."""


class LeaseLost(Conflict):
    """The lease under which a study was to be changed is not its present one: another runner may have taken it."""


class QuotaExceeded(TaskgraftError):
    """The request is sound, but its token would have more than it may have."""


class Unavailable(TaskgraftError):
    """Something outside Taskgraft (database, port, disk, service) does not do its part."""


class TrainingFailed(TaskgraftError):
    """A training ended without a measurement."""
