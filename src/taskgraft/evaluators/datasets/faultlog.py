"""Collects the faults of a data set: all of them counted, the first hundred kept."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from taskgraft.errors import MAX_FAULTS, Fault, InvalidInput


@dataclass(slots=True)
class FaultLog:
    """Faults in the order in which they were found; memory stays bounded however many there are."""

    count: int = 0
    _listed: list[Fault] = field(default_factory=list)

    def add(self, where: str, message: str) -> None:
        """Count one more fault, and keep it while fewer than `MAX_FAULTS` are kept."""
        self.count += 1
        if len(self._listed) < MAX_FAULTS:
            self._listed.append(Fault(where, message))

    def extend(self, faults: Iterable[Fault]) -> None:
        """Add faults that were found elsewhere."""
        for fault in faults:
            self.add(fault.where, fault.message)

    def include(self, error: InvalidInput) -> None:
        """Add the faults of an error, those that it does not list too."""
        self.extend(error.faults)
        self.count += error.more

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that were kept."""
        return tuple(self._listed)

    def error(self) -> InvalidInput:
        """Return all that was found as one error."""
        return InvalidInput(self._listed, self.count - len(self._listed))

    def raise_if_any(self) -> None:
        """End here if anything was found.

        Raises:
            InvalidInput: with the faults that were kept, and how many more there are.
        """
        if self.count:
            raise self.error()
