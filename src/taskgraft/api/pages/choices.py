"""What the form of a new study offers: datasets with their columns, kinds with their metrics, templates, strategies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from taskgraft.api.dataset_schemas import DatasetView
from taskgraft.evaluators.metrics import METRICS
from taskgraft.evaluators.optimisation.presets import RecipeName
from taskgraft.search.study.dataset import DatasetState
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.space.tasks import TaskKind

_SHOWN_LABELS = 4

KINDS: Mapping[TaskKind, str] = MappingProxyType(
    {
        TaskKind.CLIP: "one label for a clip",
        TaskKind.FRAMES: "when one event sounds",
        TaskKind.EVENTS: "several events, each with onset and offset",
        TaskKind.TAGS: "several labels for a clip",
        TaskKind.VALUE: "a number for a clip",
    }
)
"""Every kind of task in words; a test holds it complete."""

STRATEGIES: Mapping[Strategy, str] = MappingProxyType(
    {
        Strategy.EXHAUSTIVE: "every pair at every depth",
        Strategy.ADAPTIVE: "every pair from the deepest depth up to the first that keeps the threshold",
        Strategy.BISECTION: "every pair at its deepest depth, then by bisection",
        Strategy.GROUPS: "whole groups of tasks, then parts of them",
        Strategy.TREES: "whole candidate trees; takes two tasks or more",
    }
)
"""Every strategy in words; a test holds it complete."""

_OF_COLUMNS = (TaskKind.CLIP, TaskKind.TAGS, TaskKind.VALUE)
_OF_EVENTS = (TaskKind.FRAMES, TaskKind.EVENTS)
SEVERAL = (TaskKind.TAGS, TaskKind.EVENTS)
"""Kinds of tasks that may have several targets."""


@dataclass(frozen=True, slots=True)
class Target:
    """A column or an event that a task may ask for, and what it holds in a few words."""

    name: str
    holds: str


@dataclass(frozen=True, slots=True)
class Group:
    """Targets of one sort, and the kinds of tasks that they fit."""

    title: str
    kinds: tuple[TaskKind, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class DatasetChoice:
    """A dataset that a task may use; ``note`` says why it can't, if so."""

    name: str
    groups: tuple[Group, ...]
    note: str

    @classmethod
    def of(cls, view: DatasetView) -> "DatasetChoice":
        """Return the choice of a dataset that the API shows."""
        columns = tuple(Target(name, _labels(name, view)) for name in view.columns)
        events = tuple(Target(name, _clips(sum(event.clips.values()))) for name, event in view.events.items())
        groups = (Group("Label columns", _OF_COLUMNS, columns), Group("Events", _OF_EVENTS, events))
        note = "" if view.state is DatasetState.READY else str(view.state.value)
        return cls(view.name, tuple(group for group in groups if group.targets), note)


def metrics_by_kind() -> Mapping[str, Sequence[str]]:
    """Return every metric with the kinds of tasks that it fits."""
    return {name: tuple(str(kind) for kind in metric.kinds) for name, metric in METRICS.items()}


def short(spec: StudySpec) -> dict[str, Any]:
    """Return a study as plain data, without what it says as every study does."""
    task = {"name": "task", "dataset": "dataset", "target": "target"}
    usual = StudySpec.parse({"ar_threshold": 0, "tasks": [task]}).to_plain()
    kept = ("name", "ar_threshold", "tasks", "strategy")
    plain = spec.to_plain()
    if spec.training.recipe is RecipeName.DEFAULT:  # of another recipe, a field that is left out means something else
        plain["training"] = _differing(plain["training"], usual["training"])
        usual["training"] = {}
    return {name: value for name, value in plain.items() if name in kept or value != usual.get(name)}


def _differing(plain: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plain.items() if value != usual.get(name)}


def blank(dataset: str = "") -> dict[str, Any]:
    """Return what the form shows of a study that nobody has thought of yet: a task, and another one to compare with."""
    tasks = [{"dataset": dataset} if dataset else {} for _ in range(2)]
    return {"name": "study", "ar_threshold": 0.02, "tasks": tasks, "strategy": Strategy.ADAPTIVE.value}


def _labels(column: str, view: DatasetView) -> str:
    """Return the classes of a column in a few words."""
    found = sorted({label for counts in view.columns[column].values() for label in counts})
    if not found:
        return f"{view.distinct.get(column, 0):,} distinct values"
    more = ", ..." if len(found) > _SHOWN_LABELS else ""
    return f"{len(found)} classes: {', '.join(found[:_SHOWN_LABELS])}{more}"


def _clips(count: int) -> str:
    return f"in {count:,} clips"
