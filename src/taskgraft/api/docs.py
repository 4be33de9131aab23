"""The OpenAPI document, and a page made from it that needs no network."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from taskgraft.api.context import problems
from taskgraft.api.examples import example_of
from taskgraft.api.middleware.headers import NOTHING
from taskgraft.api.middleware.tokens import OPEN
from taskgraft.api.problems import MEDIA_TYPE, problem_example

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1b2733 }
h2 { margin-top: 2.5rem } h3 { margin-bottom: .2rem; font: 600 1rem ui-monospace, monospace }
table { border-collapse: collapse; width: 100% } td { padding: .2rem .8rem .2rem 0; vertical-align: top }
td:first-child { white-space: nowrap; width: 14rem } code { font-family: ui-monospace, monospace } p { margin: .3rem 0 }
a { color: #2f6db5 }
"""
_ONLY_THIS_STYLE = f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; {NOTHING}"
"""Content-Security-Policy of the page."""
_TOKEN = {"type": "http", "scheme": "bearer", "description": "tg_ID_SECRET, as `taskgraft token create` prints it"}


def install(app: FastAPI) -> None:
    """Serve ``/docs``, and have ``/openapi.json`` tell that errors are problem details."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            _describe_doors(document)
            app.openapi_schema = _with_examples(_as_problems(document))
        return app.openapi_schema

    async def page(_: Request) -> Response:
        return HTMLResponse(render(app.openapi()), headers={"Content-Security-Policy": _ONLY_THIS_STYLE})

    app.openapi = openapi  # type: ignore[method-assign]
    app.add_route("/docs", page, include_in_schema=False)


def _describe_doors(document: dict[str, Any]) -> None:
    """Describe what happens to a request before it reaches a route (`taskgraft.api.middleware`)."""
    document["components"]["securitySchemes"] = {"token": _TOKEN}
    for path, method, operation in _operations(document):
        statuses = {421} if path in OPEN else {401, 403, 421}
        statuses |= set() if method in ("get", "head") else {403, 415}
        for status, response in problems(*sorted(statuses)).items():
            operation["responses"].setdefault(str(status), {"description": response["description"]})
        operation["responses"] = dict(sorted(operation["responses"].items()))
        if path not in OPEN:
            operation["security"] = [{}, {"token": []}]  # the first one: a service without tokens is open


def _with_examples(document: dict[str, Any]) -> dict[str, Any]:
    """Give every JSON body an example, by the name of its schema."""
    for _, _, operation in _operations(document):
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
    for _, _, operation in _operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                example = problem_example(int(status), response["description"])
                response["content"] = {MEDIA_TYPE: {"schema": schema, "example": example}}
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def render(document: Mapping[str, Any]) -> str:
    """Return the document as one HTML page."""
    info = document["info"]
    body = [f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>", f"<p>{escape(info['summary'])}</p>"]
    body.append('<p>For machines: <a href="openapi.json">openapi.json</a></p><h2>Calls</h2>')
    body += [_operation(path, method, operation) for path, method, operation in _operations(document)]
    body.append("<h2>Values</h2>")
    body += [_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    title = f"<title>{escape(info['title'])} API</title>"
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8">{title}<style>{_STYLE}</style></head>'
    return f"{head}<body>{''.join(body)}</body></html>"


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = [
        (parameter["name"], f"{parameter['in']}: {_type(parameter['schema'])}. {parameter.get('description', '')}")
        for parameter in operation.get("parameters", ())
    ]
    if body := operation.get("requestBody"):
        rows.append(("body", _content(body)))
    rows += [(status, f"{one['description']} {_content(one)}") for status, one in operation["responses"].items()]
    words = f"<p>{escape(operation.get('description', ''))}</p>"
    return f"<h3>{method.upper()} {escape(path)}</h3>{words}{_table(rows)}"


def _content(holder: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{_type(content.get('schema', {}))} ({kind})" for kind, content in holder.get("content", {}).items()
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    words = escape(schema.get("description", "").partition("\n\n")[0])
    rows = [
        (field, f"{_type(value)}. {value.get('description', '')}")
        for field, value in schema.get("properties", {}).items()
    ]
    values = f"<p>{escape(', '.join(map(str, schema['enum'])))}</p>" if "enum" in schema else ""
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{words}</p>{values}{_table(rows)}'


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if choices := schema.get("anyOf"):
        return " or ".join(map(_type, choices))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else "list"
    if values := schema.get("enum"):
        return " | ".join(map(str, values))
    return str(schema.get("const", schema.get("type", "")))


def _table(rows: list[tuple[str, str]]) -> str:
    cells = (f"<tr><td><code>{escape(name)}</code></td><td>{escape(words)}</td></tr>" for name, words in rows)
    return f"<table>{''.join(cells)}</table>"
