"""Files that users write by hand: studies, task lists, trees. YAML, of which JSON is a part."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from taskgraft.errors import Fault, InvalidInput, MalformedInput
from taskgraft.search.preparation import prepare
from taskgraft.search.spec import StudySpec
from taskgraft.space.tasks import Task, TaskKind

_MAX_BYTES = 1 << 20


def read_text(path: Path) -> str:
    """A small UTF-8 file.

    Raises:
        InvalidInput: it is not there, too large, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput.at(str(path), f"can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MalformedInput.at(str(path), f"is not UTF-8: byte {error.start}") from error
    if len(data) > _MAX_BYTES:
        raise InvalidInput.at(str(path), f"is larger than {_MAX_BYTES:,} bytes")
    return text


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML or JSON file that holds keys and values.

    Raises:
        MalformedInput: it is neither, with the line where reading failed.
    """
    text = read_text(path)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise MalformedInput.at(where, f"is not YAML: {getattr(error, 'problem', error)}") from error
    except RecursionError as error:
        raise MalformedInput.at(str(path), "nests too deep") from error
    if not isinstance(value, dict):
        raise MalformedInput.at(str(path), f"holds keys and values at its top; got {type(value).__name__}")
    return value


def read_study(path: Path) -> StudySpec:
    """A study file.

    Raises:
        InvalidInput: with every fault at once.
    """
    return StudySpec.parse(read_mapping(path))


def read_tasks(path: Path, data_dir: Path) -> tuple[Task, ...]:
    """The tasks of a file with a ``tasks`` key: ``{name, kind, classes}``, or those of a study, whose datasets tell.

    Raises:
        InvalidInput: with every fault at once.
    """
    return tasks_of(read_mapping(path), path, data_dir)


def tasks_of(document: Mapping[str, Any], path: Path, data_dir: Path) -> tuple[Task, ...]:
    """The tasks of a document that was read from ``path``; see `read_tasks`."""
    entries = document.get("tasks")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput.at("tasks", f"a list of tasks with their names; got {entries!r:.80}")
    if any("dataset" in entry for entry in entries):
        spec = StudySpec.parse({"ar_threshold": 0, **document})
        return prepare(spec, data_dir=data_dir, base=path.parent).tasks
    return _plain_tasks(entries)


def _plain_tasks(entries: Sequence[Mapping[str, Any]]) -> tuple[Task, ...]:
    faults: list[Fault] = []
    tasks: list[Task] = []
    for place, entry in enumerate(entries):
        try:
            tasks.append(_plain_task(entry))
        except InvalidInput as error:
            faults.extend(Fault(f"tasks.{place}.{fault.where}", fault.message) for fault in error.faults)
    names = [task.name for task in tasks]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        faults.append(Fault("tasks", f"task names are unique; {', '.join(repeated)} stands more than once"))
    if faults:
        raise InvalidInput(faults)
    return tuple(tasks)


def _plain_task(entry: Mapping[str, Any]) -> Task:
    name, kind = entry.get("name"), entry.get("kind", "clip")
    if not isinstance(name, str):
        raise InvalidInput.at("name", f"is a text; got {name!r:.80}")
    if kind not in list(TaskKind):
        raise InvalidInput.at("kind", f"is one of {', '.join(TaskKind)}; got {kind!r:.80}")
    classes = entry.get("classes", 2)
    if type(classes) is not int:
        raise InvalidInput.at("classes", f"is a whole number; got {classes!r:.80}")
    if kind == TaskKind.FRAMES and classes == 1:  # "one event": present or absent
        classes = 2
    return Task(name, TaskKind(kind), classes)
