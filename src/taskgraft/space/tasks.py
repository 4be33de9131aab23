"""Tasks: the labelled questions that one model answers."""

import re
from dataclasses import dataclass
from enum import StrEnum

from taskgraft.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MAX_NAME = 64
NAME_RULE = "1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit"


class TaskKind(StrEnum):
    """What one label belongs to."""

    CLIP = "clip"
    """One label for the whole clip."""
    FRAMES = "frames"
    """One label for every time step: the event is there, or it is not."""


def is_valid_name(name: str) -> bool:
    """Return whether ``name`` may name a task, a dataset or a study (`NAME_RULE`)."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the search space sees it: a name, a kind, and how many classes its head tells apart.

    ``head`` is the name of another head than the template's (`space/named_heads.py`).

    Raises:
        InvalidInput: a name that breaks `NAME_RULE`; fewer than two classes; a ``frames`` task with more than two.
    """

    name: str
    kind: TaskKind = TaskKind.CLIP
    classes: int = 2
    head: str | None = None

    def __post_init__(self) -> None:
        if not is_valid_name(self.name):
            raise InvalidInput.at("name", f"a task's name has {NAME_RULE}; got {self.name!r}")
        if self.classes < 2:
            raise InvalidInput.at("classes", f"a task tells at least 2 classes apart; got {self.classes}")
        if self.kind is TaskKind.FRAMES and self.classes != 2:
            raise InvalidInput.at(
                "classes", f"a frames task has 2 classes (event present or absent); got {self.classes}"
            )

    @property
    def outputs(self) -> int:
        """Numbers that the head puts out: one score per class, or one per time step for ``frames``."""
        return 1 if self.kind is TaskKind.FRAMES else self.classes
