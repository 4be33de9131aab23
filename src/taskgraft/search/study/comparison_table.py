"""What a comparison found: one row for each model that was trained, and why some systems have none."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from taskgraft.errors import InvalidInput

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class RowTask:
    """One task of a row on the test split, mean over seeds.

    ``interval`` is the metric's 95 % interval. ``reduction`` is that against the baselines, below 0 if the task gained;
    None for a task whose baseline is at chance.

    Raises:
        InvalidInput: an interval that does not hold the metric.
    """

    name: str
    metric: str
    value: float
    interval: Interval
    reduction: float | None

    def __post_init__(self) -> None:
        if not self.interval[0] <= self.value <= self.interval[1]:
            raise InvalidInput.at(self.name, f"an interval holds its metric; got {self.value} in {self.interval}")


@dataclass(frozen=True, slots=True)
class RowPart:
    """A network of a row: the tasks it was trained on, those it answers, and its tree (`BranchTree.to_json`).

    ``recipe`` is how it was trained (`Training.recipe`), None for the study's own.
    """

    trained: tuple[str, ...]
    answers: tuple[str, ...]
    tree: Mapping[str, Any]
    recipe: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One model of a comparison, on the test split.

    ``parameters`` are those of what is deployed, and ``nominal_parameters`` those that pruning has left of them.
    ``stored_bytes`` is the size of its tensors, weights and running statistics, as they are stored (float32), and
    ``packed_bytes`` that of values and bit masks (`taskgraft.evaluators.sizes`); both are equal if nothing was pruned.
    ``macs_per_second`` are those that are executed. ``trainings`` and ``seconds`` are everything that the row rests on,
    baselines that it shares with other rows included.
    """

    system: str
    name: str
    tasks: tuple[RowTask, ...]
    ar: float
    ar_interval: Interval
    parameters: int
    stored_bytes: int
    macs_per_second: int
    seeds: int
    trainings: int
    seconds: float
    parts: tuple[RowPart, ...]
    note: str = ""
    nominal_parameters: int = field(kw_only=True)
    packed_bytes: int = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A system without a row, and why."""

    system: str
    reason: str


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """The rows of a comparison, the systems without one, and remarks on how to read it."""

    ar_threshold: float
    rows: tuple[Row, ...]
    refusals: tuple[Refusal, ...] = ()
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, also after it went through JSON."""
        return cls(
            value["ar_threshold"],
            tuple(map(_row, value["rows"])),
            tuple(Refusal(**refusal) for refusal in value["refusals"]),
            tuple(value["remarks"]),
        )


def _row(plain: Mapping[str, Any]) -> Row:
    tasks = tuple(RowTask(**{**task, "interval": _interval(task["interval"])}) for task in plain["tasks"])
    parts = tuple(
        RowPart(tuple(part["trained"]), tuple(part["answers"]), part["tree"], part.get("recipe"))
        for part in plain["parts"]
    )
    # Tables from before rows of pruned models do not say these.
    sizes = {"nominal_parameters": plain["parameters"], "packed_bytes": plain["stored_bytes"]}
    return Row(**{**sizes, **plain, "tasks": tasks, "ar_interval": _interval(plain["ar_interval"]), "parts": parts})


def _interval(ends: Sequence[float]) -> Interval:
    return ends[0], ends[1]
