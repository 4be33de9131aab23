"""Types and limits of JSON schemas in a few words."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

Node = Mapping[str, Any]
"""A part of a JSON schema."""


class Piece(NamedTuple):
    """A part of a type's words; ``schema`` is the name of the schema that it stands for, if any."""

    text: str
    schema: str | None = None


def type_of(node: Node) -> tuple[Piece, ...]:
    """Return a schema in a few words; neighbouring words that name no schema are one piece.

    >>> type_of({"type": "array", "items": {"$ref": "#/components/schemas/TaskSpec"}})
    (Piece(text='list of ', schema=None), Piece(text='TaskSpec', schema='TaskSpec'))
    """
    return tuple(_merged(_pieces(node)))


def limits_of(node: Node) -> tuple[str, ...]:
    """Return what a value may be, one rule each; those of alternatives among them.

    >>> limits_of({"type": "integer", "minimum": 1, "maximum": 64})
    ('at least 1', 'at most 64')
    """
    found = [words(node[key]) for key, words in _LIMITS.items() if key in node]
    if node.get("uniqueItems"):
        found.append("no item twice")
    for choice in node.get("anyOf", ()):
        found += limits_of(choice)
    return tuple(dict.fromkeys(found))


def default_of(node: Node) -> str | None:
    """Return the default as JSON; None if there is none, or it is null, which a type says by itself."""
    return None if node.get("default") is None else json.dumps(node["default"], ensure_ascii=False)


def _number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def _counted(rule: str, unit: str) -> Callable[[float], str]:
    return lambda value: f"{rule} {_number(value)} {unit}{'' if value == 1 else 's'}"


def _bound(rule: str) -> Callable[[float], str]:
    return lambda value: f"{rule} {_number(value)}"


_LIMITS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "minimum": _bound("at least"),
        "ge": _bound("at least"),
        "exclusiveMinimum": _bound("above"),
        "gt": _bound("above"),
        "maximum": _bound("at most"),
        "le": _bound("at most"),
        "exclusiveMaximum": _bound("below"),
        "lt": _bound("below"),
        "minLength": _counted("at least", "character"),
        "maxLength": _counted("at most", "character"),
        "minItems": _counted("at least", "item"),
        "maxItems": _counted("at most", "item"),
        "pattern": lambda pattern: f"matches `{pattern}`",
    }
)


def _pieces(node: Node) -> Iterator[Piece]:
    if "$ref" in node:
        name = str(node["$ref"]).rpartition("/")[2]
        yield Piece(name, name)
    elif "anyOf" in node:
        yield from _joined([type_of(choice) for choice in node["anyOf"]], " or ")
    elif "enum" in node:
        yield Piece(" | ".join(map(json.dumps, node["enum"])))
    elif "const" in node:
        yield Piece(json.dumps(node["const"]))
    elif node.get("type") == "array":
        yield from _list(node)
    elif node.get("properties"):
        yield from _object(node)
    elif isinstance(node.get("additionalProperties"), Mapping):
        yield Piece("object of ")
        yield from _pieces(node["additionalProperties"])
    else:
        form = node.get("format")
        yield Piece(str(node.get("type", "any")) + (f" ({form})" if form else ""))


def _list(node: Node) -> Iterator[Piece]:
    if "prefixItems" in node:
        yield Piece("(")
        yield from _joined([type_of(item) for item in node["prefixItems"]], ", ")
        yield Piece(")")
    else:
        yield Piece("list of " if "items" in node else "list")
        yield from _pieces(node.get("items", {})) if "items" in node else ()


def _object(node: Node) -> Iterator[Piece]:
    """Yield the keys of an object without a name, those that may be left out with a question mark."""
    yield Piece("{")
    keys = []
    for name, value in node["properties"].items():
        mark = "" if name in node.get("required", ()) else "?"
        said = f": {json.dumps(value['const'])}" if "const" in value else ""
        keys.append((Piece(f"{name}{mark}{said}"),))
    yield from _joined(keys, ", ")
    yield Piece("}")


def _joined(choices: Iterable[tuple[Piece, ...]], between: str) -> Iterator[Piece]:
    for place, choice in enumerate(dict.fromkeys(choices)):
        if place:
            yield Piece(between)
        yield from choice


def _merged(pieces: Iterator[Piece]) -> Iterator[Piece]:
    words = ""
    for piece in pieces:
        if piece.schema is None:
            words += piece.text
        else:
            if words:
                yield Piece(words)
            words = ""
            yield piece
    if words:
        yield Piece(words)
