"""Schemas of the OpenAPI document: their fields, each with type, default and limits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from taskgraft.api.pages.reference.types import Node, Piece, default_of, limits_of, type_of


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object, or a parameter of a call."""

    name: str
    type: tuple[Piece, ...]
    required: bool
    default: str | None
    """JSON; None if there is none."""
    limits: tuple[str, ...]
    description: str

    @classmethod
    def of(cls, name: str, node: Node, *, required: bool, description: str | None = None) -> "Field":
        """Return the field that a JSON schema describes."""
        words = node.get("description", "") if description is None else description
        return cls(name, type_of(node), required, default_of(node), limits_of(node), words)


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema with a name: an object with fields, or one of some ``values``."""

    name: str
    description: str
    fields: tuple[Field, ...]
    values: tuple[str, ...]


def schemas_of(named: Mapping[str, Node]) -> Iterator[Schema]:
    """Yield every schema, by name."""
    for name, node in sorted(named.items()):
        required = node.get("required", ())
        fields = (
            Field.of(field, value, required=field in required) for field, value in node.get("properties", {}).items()
        )
        yield Schema(name, node.get("description", ""), tuple(fields), tuple(map(str, node.get("enum", ()))))
