"""Task lists that users write by hand: those of a study, or just what the sizes of models depend on."""

# ruff: noqa: PLC0415  # whoever asks for sizes alone does not wait for the imports of data sets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from taskgraft.api.own_encoders import parse_study
from taskgraft.api.study_files import read_mapping
from taskgraft.errors import Fault, InvalidInput
from taskgraft.search.study.spec import MAX_TASKS, StudySpec, as_fault
from taskgraft.space.named_heads import check_named_head
from taskgraft.space.tasks import Task, TaskKind


def read_tasks(path: Path) -> tuple[Task, ...]:
    """Return the tasks of a file with a ``tasks`` key: ``{name, kind, classes}`` each, or those of a study.

    The kinds and classes of a study's tasks come from its datasets.

    Raises:
        InvalidInput: with every fault at once.
    """
    return tasks_of(read_mapping(path), path)


def tasks_of(document: Mapping[str, Any], path: Path) -> tuple[Task, ...]:
    """Return the tasks of a document that was read from ``path``; see `read_tasks`."""
    entries = document.get("tasks")
    if isinstance(entries, list) and any(isinstance(entry, dict) and "dataset" in entry for entry in entries):
        return _tasks_of_study(parse_study({"ar_threshold": 0, **document}, path.parent), path.parent)
    try:
        plain = _PlainTasks.model_validate({"tasks": entries} if "tasks" in document else {})
    except ValidationError as error:
        raise InvalidInput(map(as_fault, error.errors(include_url=False))) from None
    return plain.to_tasks()


def _tasks_of_study(spec: StudySpec, base: Path) -> tuple[Task, ...]:
    from taskgraft.api.cli.corpora import outline_tables

    return outline_tables(spec, base).tasks


class _PlainTask(BaseModel):
    """A task as far as its head's size depends on it."""

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: TaskKind = TaskKind.CLIP
    classes: Annotated[int, Strict()] = 2
    head: str | None = None

    def to_task(self) -> Task:
        one_event = self.kind is TaskKind.FRAMES and self.classes == 1  # the other class is its absence
        if self.head:
            check_named_head(self.head, self.kind)
        return Task(self.name, self.kind, 2 if one_event else self.classes, self.head)


class _PlainTasks(BaseModel):
    tasks: list[_PlainTask] = Field(min_length=1, max_length=MAX_TASKS)

    def to_tasks(self) -> tuple[Task, ...]:
        tasks: list[Task] = []
        faults: list[Fault] = []
        for place, plain in enumerate(self.tasks):
            try:
                tasks.append(plain.to_task())
            except InvalidInput as error:
                faults.extend(Fault(f"tasks.{place}.{fault.where}", fault.message) for fault in error.faults)
            if plain.name in (before.name for before in self.tasks[:place]):
                faults.append(Fault(f"tasks.{place}.name", f"task names are unique; got {plain.name!r}"))
        if faults:
            raise InvalidInput(faults)
        return tuple(tasks)
