"""The OpenAPI document: what FastAPI makes of the routes, with problem details, examples and the doors before them."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from taskgraft.api.context import problems
from taskgraft.api.examples import example_of
from taskgraft.api.middleware.tokens import OPEN
from taskgraft.api.problems import MEDIA_TYPE, problem_example

_TOKEN = {"type": "http", "scheme": "bearer", "description": "tg_ID_SECRET, as `taskgraft token create` prints it"}


def install(app: FastAPI) -> None:
    """Have ``/openapi.json`` tell that errors are problem details, and give examples."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            _describe_doors(document)
            app.openapi_schema = _with_examples(_as_problems(document))
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_doors(document: dict[str, Any]) -> None:
    """Describe what happens to a request before it reaches a route (`taskgraft.api.middleware`)."""
    document["components"]["securitySchemes"] = {"token": _TOKEN}
    for path, method, operation in operations(document):
        statuses = {421} if path in OPEN else {401, 403, 421}
        statuses |= set() if method in ("get", "head") else {403, 415}
        for status, response in problems(*sorted(statuses)).items():
            operation["responses"].setdefault(str(status), {"description": response["description"]})
        operation["responses"] = dict(sorted(operation["responses"].items()))
        if path not in OPEN:
            operation["security"] = [{}, {"token": []}]  # the first one: a service without tokens is open


def _with_examples(document: dict[str, Any]) -> dict[str, Any]:
    """Give every JSON body an example, by the name of its schema."""
    for _, _, operation in operations(document):
        holders = [*operation["responses"].values(), operation.get("requestBody", {})]
        contents = [content for holder in holders for content in holder.get("content", {}).values()]
        for content in contents:
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if (example := example_of(name)) is not None:
                content["example"] = example
    return document


def _as_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Describe errors as problem details: FastAPI describes them in a form of its own."""
    schema = {"$ref": "#/components/schemas/Problem"}
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                example = problem_example(int(status), response["description"])
                response["content"] = {MEDIA_TYPE: {"schema": schema, "example": example}}
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    return document


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each operation with its path and its method."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation
