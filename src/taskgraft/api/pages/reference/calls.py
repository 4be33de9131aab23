"""Calls of the OpenAPI document: what each takes, and what it may answer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from taskgraft.api.openapi import operations
from taskgraft.api.pages.reference.schemas import Field, Schema, schemas_of
from taskgraft.api.pages.reference.types import Node, Piece, type_of

_SAFE = frozenset({"get", "head"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a call; ``place`` is path, query or header. ``choices`` are all values that it may have."""

    field: Field
    place: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """A body of a request or an answer: its media type, its type, and an example as indented JSON, if there is one."""

    media_type: str
    type: tuple[Piece, ...]
    example: str | None

    @property
    def is_json(self) -> bool:
        """Whether it is text that a form can show and change."""
        return self.media_type.endswith("json")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call may answer: a status, when, and bodies."""

    status: str
    description: str
    bodies: tuple[Body, ...]

    @property
    def is_error(self) -> bool:
        """Whether the call was refused or failed."""
        return self.status >= "400"


@dataclass(frozen=True, slots=True)
class Call:
    """An operation."""

    id: str
    method: str
    path: str
    summary: str
    """The first sentence of the description, without the rest."""
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    answers: tuple[Answer, ...]
    needs_token: bool
    """Whether a service with tokens asks for one."""

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method.lower() not in _SAFE


@dataclass(frozen=True, slots=True)
class Section:
    """The calls of one tag."""

    tag: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """All calls by tag, in the order of the document, and all schemas by name."""

    title: str
    version: str
    summary: str
    sections: tuple[Section, ...]
    schemas: tuple[Schema, ...]


def reference_of(document: Node) -> Reference:
    """Return what the page shows of an OpenAPI document."""
    named = document.get("components", {}).get("schemas", {})
    by_tag: dict[str, list[Call]] = {}
    for path, method, operation in operations(document):
        tag = next(iter(operation.get("tags", ())), "other")
        by_tag.setdefault(tag, []).append(_call(path, method, operation, named))
    sections = tuple(Section(tag, tuple(calls)) for tag, calls in by_tag.items())
    info = document["info"]
    return Reference(info["title"], info["version"], info.get("summary", ""), sections, tuple(schemas_of(named)))


def _call(path: str, method: str, operation: Node, named: Mapping[str, Node]) -> Call:
    description = operation.get("description", "")
    return Call(
        id=operation.get("operationId", f"{method}{path}"),
        method=method.upper(),
        path=path,
        summary=description.partition("\n\n")[0] or operation.get("summary", ""),
        description=description.partition("\n\n")[2],
        parameters=tuple(_parameter(parameter, named) for parameter in operation.get("parameters", ())),
        body=next(_bodies(operation.get("requestBody", {})), None),
        answers=tuple(
            Answer(status, found["description"], tuple(_bodies(found)))
            for status, found in operation["responses"].items()
        ),
        needs_token="security" in operation,
    )


def _parameter(parameter: Node, named: Mapping[str, Node]) -> Parameter:
    node = parameter["schema"]
    required, words = parameter.get("required", False), parameter.get("description", "")
    field = Field.of(parameter["name"], node, required=required, description=words)
    return Parameter(field, parameter["in"], tuple(_choices(node, named)))


def _choices(node: Node, named: Mapping[str, Node]) -> Iterator[str]:
    """Yield all values that a parameter may have, if these can be told."""
    if node.get("type") == "boolean":
        yield from ("true", "false")
    elif "$ref" in node:
        yield from map(str, named[node["$ref"].rpartition("/")[2]].get("enum", ()))
    elif "anyOf" in node:
        for choice in node["anyOf"]:
            yield from _choices(choice, named)
    else:
        yield from map(str, node.get("enum", ()))


def _bodies(holder: Node) -> Iterator[Body]:
    for media_type, content in holder.get("content", {}).items():
        yield Body(media_type, type_of(content.get("schema", {})), _example(content))


def _example(content: Node) -> str | None:
    found: Any = content.get("example")
    return None if found is None else json.dumps(found, indent=2, ensure_ascii=False)
