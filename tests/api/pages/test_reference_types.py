"""Types and limits of JSON schemas in words."""

from typing import Any

import pytest

from taskgraft.api.pages.reference.types import default_of, limits_of, type_of

REF = {"$ref": "#/components/schemas/TaskSpec"}


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "string (date-time)"),
        (REF, "TaskSpec"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or null"),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}, 'integer or "auto"'),
        ({"enum": ["a", None]}, '"a" | null'),
        ({"type": "array", "items": REF}, "list of TaskSpec"),
        ({"type": "array"}, "list"),
        ({"prefixItems": [{"type": "number"}, REF], "type": "array"}, "(number, TaskSpec)"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
        ({"type": "object"}, "object"),
        ({}, "any"),
        (
            {"properties": {"name": {"const": "lth"}, "size": {"type": "number"}}, "required": ["name"]},
            '{name: "lth", size?}',
        ),
    ],
)
def test_a_type_in_words(node: dict[str, Any], words: str) -> None:
    assert "".join(piece.text for piece in type_of(node)) == words


def test_only_schemas_with_a_name_are_linked() -> None:
    pieces = type_of({"anyOf": [REF, {"type": "array", "items": REF}, {"type": "null"}]})
    assert [piece.schema for piece in pieces] == ["TaskSpec", None, "TaskSpec", None]
    assert pieces[1].text == " or list of "


@pytest.mark.parametrize(
    ("node", "limits"),
    [
        ({"minimum": 0, "exclusiveMaximum": 1.0}, ("at least 0", "below 1")),
        ({"exclusiveMinimum": 0, "maximum": 2147483648}, ("above 0", "at most 2,147,483,648")),
        ({"anyOf": [{"type": "number", "gt": 0}, {"type": "null"}]}, ("above 0",)),
        ({"minLength": 1, "maxLength": 255}, ("at least 1 character", "at most 255 characters")),
        ({"type": "array", "minItems": 1, "uniqueItems": True}, ("at least 1 item", "no item twice")),
        ({"pattern": "^[a-z]+$"}, ("matches `^[a-z]+$`",)),
        ({"minimum": 0.25}, ("at least 0.25",)),
        ({}, ()),
    ],
)
def test_limits_in_words(node: dict[str, Any], limits: tuple[str, ...]) -> None:
    assert limits_of(node) == limits


def test_null_is_no_default() -> None:
    assert (default_of({"default": None}), default_of({}), default_of({"default": False})) == (None, None, "false")
    assert default_of({"default": "cnn8"}) == '"cnn8"'
