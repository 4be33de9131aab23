"""Where the trainings of a study run."""

import os
from dataclasses import dataclass

from taskgraft.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Machines:
    """A Ray cluster at ``address``, or else ``cores`` of this machine; None means all that this process may use.

    At most ``train_ahead`` models are trained at once on cores that would be idle, before the study asks for them.

    Raises:
        InvalidInput: no core, or less; or a number of cores for a cluster, which has its own; or fewer than no models.
    """

    address: str | None = None
    cores: int | None = None
    train_ahead: int = 1

    def __post_init__(self) -> None:
        if self.train_ahead < 0:
            raise InvalidInput.at("train_ahead", f"a number of trainings is 0 or more; got {self.train_ahead}")
        if self.cores is None:
            return
        if self.cores < 1:
            raise InvalidInput.at("cores", f"1 or more; got {self.cores}")
        if self.address:
            raise InvalidInput.at("cores", f"a Ray cluster has its own, so leave it out with {self.address}")


THIS_MACHINE = Machines()


def usable_cores() -> int:
    """Return the cores that this process may use: a container, or `taskset`, may allow fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
