"""Kinds of fields that the parts of a study have, read strictly: a text is no number."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Strict
from pydantic_core import InitErrorDetails, PydanticCustomError

AUTO: Final = "auto"
NuisanceLabel = tuple[str, str | None]
"""A label column that models are trained against, and its dataset; None if the study has one dataset only."""


class Value(BaseModel):
    """A part of a study: never changed, and without any other field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _a_number(value: object) -> object:
    if isinstance(value, bool | str | bytes):  # pydantic would read them as numbers
        raise ValueError("is a number")
    return value


class WholeOrAuto:
    """Reads a whole number from 1 to ``largest``, or ``auto``, and describes them as JSON schema."""

    def __init__(self, largest: int) -> None:
        self._largest = largest

    def read(self, value: object) -> object:
        """Return the value as it is.

        Raises:
            ValueError: it is neither.
        """
        if value == AUTO or (type(value) is int and 1 <= value <= self._largest):
            return value
        raise ValueError(f"a whole number from 1 to {self._largest}, or {AUTO}")

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of both."""
        whole = {"type": "integer", "minimum": 1, "maximum": self._largest}
        return {"anyOf": [whole, {"type": "string", "const": AUTO}]}


class NameOrNames:
    """Reads a text of 1 to ``longest`` characters, or a list of 1 to ``most`` of them, and describes them."""

    def __init__(self, longest: int, most: int) -> None:
        self._longest = longest
        self._most = most

    def read(self, value: object) -> str | tuple[str, ...]:
        """Return a text as it is, and a list as a tuple.

        Raises:
            ValueError: it is neither.
        """
        names = (value,) if isinstance(value, str) else value
        if isinstance(names, list | tuple) and 1 <= len(names) <= self._most and all(map(self._is_name, names)):
            return value if isinstance(value, str) else tuple(names)
        raise ValueError(f"a text of 1 to {self._longest} characters, or a list of 1 to {self._most} of them")

    def _is_name(self, value: object) -> bool:
        return isinstance(value, str) and 1 <= len(value) <= self._longest

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of both."""
        name = {"type": "string", "minLength": 1, "maxLength": self._longest}
        return {"anyOf": [name, {"type": "array", "items": name, "minItems": 1, "maxItems": self._most}]}


Whole = Annotated[int, Strict()]
Number = Annotated[float, BeforeValidator(_a_number)]


def fault_at(where: tuple[int | str, ...], message: str, value: object) -> InitErrorDetails:
    """Return a fault as an error of pydantic that can be raised."""
    return InitErrorDetails(
        type=PydanticCustomError("value_error", "{message}", {"message": message}), loc=where, input=value
    )


def name_and_options(given: object, known: Collection[str]) -> tuple[str, Mapping[Any, Any]]:
    """Return what a field names, and all that is said of it: ``NAME``, or ``{name: NAME, ...}`` with options.

    Raises:
        ValueError: it is none of the ``known`` names.
    """
    said: Mapping[Any, Any] = given if isinstance(given, Mapping) else {"name": given}
    name = said.get("name")
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"a name, or an object with name and options; there is {', '.join(known)}")
    return name, said


def fault_again(error: Mapping[str, Any], where: tuple[int | str, ...] = ()) -> InitErrorDetails:
    """Return an error that pydantic reported in the form that can be raised, at its place below ``where``."""
    place, context = (*where, *error["loc"]), error.get("ctx", {})
    if error["type"] == "value_error" and "error" not in context:  # one of `fault_at`
        return fault_at(place, error["msg"], error["input"])
    return InitErrorDetails(type=error["type"], loc=place, input=error["input"], ctx=context)
