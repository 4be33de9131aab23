"""Files that users write by hand: studies, task lists, trees. YAML, of which JSON is a part."""

# ruff: noqa: PLC0415  # whoever asks for sizes alone does not wait for the imports of data sets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from taskgraft.errors import Fault, InvalidInput, MalformedInput
from taskgraft.search.spec import MAX_TASKS, StudySpec, as_fault
from taskgraft.space.tasks import Task, TaskKind

_MAX_BYTES = 1 << 20


def read_text(path: Path, max_bytes: int = _MAX_BYTES) -> str:
    """A small UTF-8 file.

    Raises:
        InvalidInput: it is not there, too large, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise InvalidInput.at(str(path), f"can't be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise InvalidInput.at(str(path), f"has at most {max_bytes:,} bytes; this one has more")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedInput.at(f"{path}:{line}", f"is UTF-8; got the byte {data[error.start]:#04x}") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML or JSON file that holds keys and values.

    Raises:
        InvalidInput: as `read_text`.
        MalformedInput: it is neither, with the line where reading failed.
    """
    text = read_text(path)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise MalformedInput.at(where, f"is not YAML: {problem}") from error
    except (ValueError, RecursionError) as error:  # a date or a number that is none; too many brackets
        raise MalformedInput.at(str(path), f"is not YAML: {error}") from error
    if not isinstance(value, dict):
        raise MalformedInput.at(str(path), f"holds keys and values at its top; got {type(value).__name__}")
    return value


def read_study(path: Path) -> StudySpec:
    """A study file.

    Raises:
        InvalidInput: with every fault at once.
    """
    return StudySpec.parse(read_mapping(path))


def read_tasks(path: Path) -> tuple[Task, ...]:
    """The tasks of a file with a ``tasks`` key: ``{name, kind, classes}``, or those of a study, whose datasets tell.

    Raises:
        InvalidInput: with every fault at once.
    """
    return tasks_of(read_mapping(path), path)


def tasks_of(document: Mapping[str, Any], path: Path) -> tuple[Task, ...]:
    """The tasks of a document that was read from ``path``; see `read_tasks`."""
    entries = document.get("tasks")
    if isinstance(entries, list) and any(isinstance(entry, dict) and "dataset" in entry for entry in entries):
        return _tasks_of_study(StudySpec.parse({"ar_threshold": 0, **document}), path.parent)
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

    def to_task(self) -> Task:
        one_event = self.kind is TaskKind.FRAMES and self.classes == 1  # the other class is its absence
        return Task(self.name, self.kind, 2 if one_event else self.classes)


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
