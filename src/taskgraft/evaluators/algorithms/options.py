"""What an algorithm can be told in a study file, each read strictly: a text is no number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Option(Protocol):
    """What may stand in one field of an algorithm."""

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""

    def fault(self, value: object) -> str | None:
        """Return the rule that a value breaks; None if it breaks none."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number from ``least`` to ``most``."""

    most: float
    least: float = 0
    is_required = False

    def fault(self, value: object) -> str | None:
        """Return what is wrong with a value."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and self.least <= float(value) <= self.most:  # type: ignore[arg-type]
            return None
        return f"a number from {self.least:g} to {self.most:g}"

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        return {"type": "number", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    is_required = False

    def fault(self, value: object) -> str | None:
        """Return what is wrong with a value."""
        return None if isinstance(value, bool) else "true or false"

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some words."""

    words: Sequence[str]
    is_required = False

    def fault(self, value: object) -> str | None:
        """Return what is wrong with a value."""
        return None if isinstance(value, str) and value in self.words else f"one of {', '.join(self.words)}"

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """The names of all tasks of a study, in some order."""

    is_required = True

    def fault(self, value: object) -> str | None:
        """Return what is wrong with a value; it says nothing about which tasks there are."""
        if not isinstance(value, tuple) or not value or not all(isinstance(name, str) for name in value):
            return "a list of the names of all tasks"
        return None if len(set(value)) == len(value) else "each task is named once"

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        return {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}


@dataclass(frozen=True, slots=True)
class Text:
    """A text of 1 to 256 characters; one that is not required may be null."""

    is_required: bool = True

    def fault(self, value: object) -> str | None:
        """Return what is wrong with a value."""
        if value is None and not self.is_required:
            return None
        return None if isinstance(value, str) and 1 <= len(value) <= 256 else "a text of 1 to 256 characters"

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""
        text = {"type": "string", "minLength": 1, "maxLength": 256}
        return text if self.is_required else {"anyOf": [text, {"type": "null"}]}
