"""What the answers about datasets look like."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.search.study.dataset import Dataset, DatasetState


class EventView(BaseModel):
    """An event of a dataset's segments."""

    seconds: float | None = Field(description="how long it sounds altogether; null before the corpus is made")
    clips: dict[Split, int] = Field(description="in how many clips of each split it sounds")


class FaultView(BaseModel):
    """A broken rule of a dataset."""

    where: str = Field(description="file and line", examples=["manifest.csv:12"])
    message: str


class CheckProgress(BaseModel):
    """How far a check is."""

    done: int
    total: int


class DatasetView(BaseModel):
    """A dataset: what a check found in its newest, or the wanted, version."""

    name: str
    version: int
    state: DatasetState
    source: Literal["registered", "uploaded", "built-in"]
    progress: CheckProgress | None = Field(description="clips checked so far; null unless it is being checked")
    bytes: int | None = Field(
        None,
        description="of an upload, unpacked; null if it lies elsewhere, or came before sizes were kept",
    )
    clips: int | None = Field(description="null, as all that follows is empty, until it was checked")
    splits: dict[Split, int] = Field({}, description="split: clips")
    columns: dict[str, dict[Split, dict[str, int]]] = Field(
        description="label column: split: label: clips; empty for a column with too many labels to be classes"
    )
    distinct: dict[str, int] = Field(description="label column: distinct labels")
    labelled: dict[str, dict[Split, int]] = Field(
        {}, description="label column: split: clips that have a label; those of all others are missing"
    )
    events: dict[str, EventView]
    rates: dict[str, int] = Field(description="sample rate in hertz: clips")
    seconds: float | None = Field(description="of all clips together")
    clip_seconds: float | None = Field(description="what 95 % of the clips fit into")
    faults: list[FaultView] = Field(description="the first of them")
    fault_count: int
    warnings: list[str]
    fingerprint: str | None = Field(description="SHA-256 over all its bytes")
    made_by: str | None = Field(None, description="the id of the token that made it; null if the service was open")
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Return what the API shows of ``dataset``."""
        progress = dataset.progress and CheckProgress(done=dataset.progress[0], total=dataset.progress[1])
        return cls(
            name=dataset.name,
            version=dataset.version,
            state=dataset.state,
            source=dataset.source.kind,  # type: ignore[arg-type]
            progress=progress,
            bytes=dataset.stored_bytes or None,
            fingerprint=dataset.fingerprint,
            made_by=dataset.made_by,
            created_at=dataset.created_at,
            updated_at=dataset.updated_at,
            **_found(dataset.report),
        )

    @classmethod
    def known(cls, name: str, report: CheckReport) -> Self:
        """Return what the API shows of a corpus that Taskgraft makes itself."""
        return cls(
            name=name,
            version=1,
            state=DatasetState.READY,
            source="built-in",
            progress=None,
            fingerprint=None,
            created_at=None,
            updated_at=None,
            **_found(report),
        )


def _found(report: CheckReport | None) -> dict[str, Any]:
    if report is None:
        empty: dict[str, Any] = {name: {} for name in ("splits", "columns", "distinct", "labelled", "events", "rates")}
        return {
            **empty,
            "clips": None,
            "seconds": None,
            "clip_seconds": None,
            "faults": [],
            "fault_count": 0,
            "warnings": [],
        }
    return {
        "clips": report.clips,
        "splits": dict(report.splits),
        "columns": {name: found.counts for name, found in report.labels.items()},
        "distinct": {name: found.distinct for name, found in report.labels.items()},
        "labelled": {name: dict(found.labelled) for name, found in report.labels.items()},
        "events": {
            name: EventView(seconds=found.seconds, clips=dict(found.clips)) for name, found in report.events.items()
        },
        "rates": {str(rate): clips for rate, clips in report.sample_rates.items()},
        "seconds": report.seconds,
        "clip_seconds": report.clip_seconds,
        "faults": [FaultView(where=fault.where, message=fault.message) for fault in report.faults],
        "fault_count": report.fault_count,
        "warnings": list(report.warnings),
    }


class DatasetPageView(BaseModel):
    """Some of the datasets, by name."""

    items: list[DatasetView]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last")
