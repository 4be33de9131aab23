"""What a check finds out about a dataset: enough to plan and to judge a study without opening a file again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from taskgraft.errors import Fault
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import ClassCounts


@dataclass(frozen=True, slots=True)
class LabelReport:
    """A label column.

    ``counts`` are the clips per split and label; left out if there are too many labels, or too long ones, to be
    classes. ``labelled`` are the clips per split that have a label at all, ``classes`` the labels that train shows.
    ``faults`` say why the column can't be a task's target.
    """

    distinct: int
    counts: ClassCounts
    labelled: Mapping[Split, int]
    classes: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventReport:
    """An event: how long it sounds altogether, in seconds (None if that is not known yet), and in which clips.

    ``clips`` counts those per split in which it sounds, ``annotated`` those that the segments speak of. ``faults`` say
    why the event can't be a task's target.
    """

    seconds: float | None
    clips: Mapping[Split, int]
    annotated: Mapping[Split, int]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found; the dataset is sound if there are no faults."""

    faults: tuple[Fault, ...]
    fault_count: int
    warnings: tuple[str, ...]
    clips: int
    seconds: float
    clip_seconds: float
    """What 95 % of the clips fit into."""
    sample_rates: Mapping[int, int]
    """Hertz -> clips."""
    splits: Mapping[Split, int]
    groups: int
    """Distinct values of the column ``group``; 0 without it."""
    labels: Mapping[str, LabelReport]
    events: Mapping[str, EventReport]

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return not self.fault_count

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain dictionaries, lists and numbers."""
        report = asdict(self)
        report["sample_rates"] = {str(rate): clips for rate, clips in self.sample_rates.items()}
        return {"ok": self.ok, **report}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Return the report that `to_json` made ``plain`` of."""
        known = {name: plain[name] for name in cls.__dataclass_fields__}
        known |= {
            "faults": tuple(Fault(**fault) for fault in plain["faults"]),
            "warnings": tuple(plain["warnings"]),
            "sample_rates": {int(rate): clips for rate, clips in plain["sample_rates"].items()},
            "splits": _by_split(plain["splits"]),
            "labels": {name: _label_report(found) for name, found in plain["labels"].items()},
            "events": {name: _event_report(found) for name, found in plain["events"].items()},
        }
        return cls(**known)


def _by_split(plain: Mapping[str, Any]) -> dict[Split, Any]:
    return {Split(word): value for word, value in plain.items()}


def _label_report(plain: Mapping[str, Any]) -> LabelReport:
    return LabelReport(
        plain["distinct"],
        _by_split(plain["counts"]),
        _by_split(plain["labelled"]),
        plain["classes"],
        tuple(plain["faults"]),
    )


def _event_report(plain: Mapping[str, Any]) -> EventReport:
    return EventReport(
        plain["seconds"], _by_split(plain["clips"]), _by_split(plain["annotated"]), tuple(plain["faults"])
    )
