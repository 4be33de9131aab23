"""Where a study stands, and which state may follow which."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Stage(StrEnum):
    """What a running study is doing."""

    BASELINES = "baselines"
    PAIRS = "pairs"
    SYNTHESIS = "synthesis"
    VERIFICATION = "verification"
    COMPRESSION = "compression"
    """Of a study whose tree is made smaller."""
    COMPARISON = "comparison"
    """Of a comparison alone: its rows are trained."""
    EXPORT = "export"


class State(StrEnum):
    """Where a study stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether no work is left to do."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.QUEUED: frozenset({State.RUNNING, State.PAUSED, State.CANCELLED}),
        State.RUNNING: frozenset(
            {State.SUCCEEDED, State.FAILED, State.PAUSED, State.CANCELLING, State.CANCELLED, State.QUEUED}
        ),
        State.PAUSED: frozenset({State.QUEUED, State.RUNNING, State.CANCELLED}),
        State.CANCELLING: frozenset({State.CANCELLED}),
        State.SUCCEEDED: frozenset(),
        State.FAILED: frozenset(),
        State.CANCELLED: frozenset(),
    }
)
"""Which state may follow which. A running study goes back to the queue when its runner is gone."""
