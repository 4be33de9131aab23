"""Tasks: the labelled questions that one model answers."""

import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Self

from taskgraft.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NAME_PATTERN = f"^{_NAME.pattern}$"
"""The same rule for JSON schemas."""
MAX_NAME = 64
NAME_RULE = "1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit"


class Answer(StrEnum):
    """What a head has to give an answer for."""

    CLIP = "clip"
    """The whole clip."""
    STEPS = "steps"
    """Every time step."""
    POOLED_STEPS = "pooled_steps"
    """Every time step, and the whole clip with it, since some labels are of whole clips."""

    @property
    def needs_time(self) -> bool:
        """Whether the encoder has to keep a time axis."""
        return self is not Answer.CLIP


class Outputs(Enum):
    """How many numbers a head puts out, for the clip or for each time step."""

    ONE = "one"
    """A single one."""
    CLASSES = "classes"
    """One for each class."""


@dataclass(frozen=True, slots=True)
class TaskForm:
    """What the search space knows about a kind of task.

    ``least`` and ``most`` bound the number of classes, and ``counted`` says what a class is.
    """

    answer: Answer
    outputs: Outputs
    least: int
    most: int | None
    counted: str


_UNKNOWN = TaskForm(Answer.CLIP, Outputs.ONE, 0, 0, "classes")


class TaskKind(StrEnum):
    """What one label belongs to, and what it may be. Each kind has a module of its own in `evaluators/kinds/`."""

    form: TaskForm

    def __new__(cls, name: str, form: TaskForm = _UNKNOWN) -> Self:
        """Make a kind of its name and its form, which has a default since ``TaskKind(name)`` finds a kind by name."""
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.form = form
        return kind

    CLIP = "clip", TaskForm(Answer.CLIP, Outputs.CLASSES, 2, None, "classes to tell apart")
    """One label for the whole clip."""
    FRAMES = "frames", TaskForm(Answer.STEPS, Outputs.ONE, 2, 2, "classes (event present or absent)")
    """One label for every time step: the event is there, or it is not."""
    EVENTS = "events", TaskForm(Answer.POOLED_STEPS, Outputs.CLASSES, 1, None, "events")
    """Several events, each with its onsets and offsets; some clips may only say which of them sound."""
    TAGS = "tags", TaskForm(Answer.CLIP, Outputs.CLASSES, 1, None, "tags")
    """Several labels for the whole clip, each of which applies or does not."""
    VALUE = "value", TaskForm(Answer.CLIP, Outputs.ONE, 1, 1, "number")
    """A number for the whole clip."""


def is_valid_name(name: str) -> bool:
    """Return whether ``name`` may name a task, a dataset or a study (`NAME_RULE`)."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the search space sees it: a name, a kind, and how many classes (events, tags) its head tells apart.

    ``head`` is the name of another head than the template's (`space/named_heads.py`).

    Raises:
        InvalidInput: a name that breaks `NAME_RULE`; more or fewer classes than its kind has.
    """

    name: str
    kind: TaskKind = TaskKind.CLIP
    classes: int = 2
    head: str | None = None

    def __post_init__(self) -> None:
        if not is_valid_name(self.name):
            raise InvalidInput.at("name", f"a task's name has {NAME_RULE}; got {self.name!r}")
        form = self.kind.form
        if self.classes < form.least or (form.most is not None and self.classes > form.most):
            allowed = f"at least {form.least}" if form.most is None else f"{form.least}"
            raise InvalidInput.at("classes", f"a {self.kind} task has {allowed} {form.counted}; got {self.classes}")

    @property
    def outputs(self) -> int:
        """Numbers that the head puts out, for the clip or for each time step."""
        return 1 if self.kind.form.outputs is Outputs.ONE else self.classes
