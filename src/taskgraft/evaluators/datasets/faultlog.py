"""Collects the faults of a data set: all of them counted, the first thousand kept."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from taskgraft.errors import Fault, InvalidInput

MAX_LISTED = 1_000


@dataclass(slots=True)
class FaultLog:
    """Faults in the order in which they were found; memory stays bounded however many there are."""

    count: int = 0
    _listed: list[Fault] = field(default_factory=list)

    def add(self, where: str, message: str) -> None:
        """Count one more fault, and keep it while fewer than `MAX_LISTED` are kept."""
        self.count += 1
        if len(self._listed) < MAX_LISTED:
            self._listed.append(Fault(where, message))

    def extend(self, faults: Iterable[Fault]) -> None:
        """Add faults that were found elsewhere."""
        for fault in faults:
            self.add(fault.where, fault.message)

    def listed(self) -> tuple[Fault, ...]:
        """What was kept, ending with a line that says so where some faults were not."""
        if self.count == len(self._listed):
            return tuple(self._listed)
        return (*self._listed, Fault("", f"{self.count:,} faults in all; the first {MAX_LISTED:,} are listed"))

    def raise_if_any(self) -> None:
        """End here where anything was found.

        Raises:
            InvalidInput: with `listed`.
        """
        if self.count:
            raise InvalidInput(self.listed())
