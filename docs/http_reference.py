"""A Sphinx extension: writes the page of the HTTP API from the OpenAPI document of the service."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_PAGE = "reference/http"
_MARK = "<!-- generated -->"
_METHODS = ("get", "post", "put", "patch", "delete")
_LIMITS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "minLength": "length >= {}",
    "maxLength": "length <= {}",
    "minItems": "{} or more",
    "maxItems": "{} at most",
    "pattern": "`{}`",
}


def document() -> Mapping[str, Any]:
    """Return the OpenAPI document that a service serves."""
    from taskgraft.api.app import create_app  # noqa: PLC0415  # building other pages needs no service
    from taskgraft.api.settings import Settings  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        found: Mapping[str, Any] = create_app(Settings(data_dir=Path(folder))).openapi()
    return found


def render(api: Mapping[str, Any]) -> str:
    """Return Markdown: every call with its parameters, body and answers, then every schema."""
    return "\n".join([*_calls(api), "## Schemas", "", *_schemas(api)])


def _calls(api: Mapping[str, Any]) -> Iterator[str]:
    yield "## Calls"
    yield ""
    for path, item in api["paths"].items():
        for method in (name for name in _METHODS if name in item):
            yield f"### `{method.upper()} {path}`"
            yield ""
            yield from _call(item[method])


def _call(call: Mapping[str, Any]) -> Iterator[str]:
    yield call.get("description") or call.get("summary", "")
    yield ""
    if parameters := call.get("parameters"):
        yield from _table(("parameter", "in", "form", "what it is"), map(_parameter, parameters))
    for kind, content in call.get("requestBody", {}).get("content", {}).items():
        yield f"Body `{kind}`: {_form(content.get('schema', {}))}"
        yield ""
        yield from _example(content)
    yield from _table(("answer", "body", "when"), _answers(call["responses"]))


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"`{parameter['name']}`" + (" (required)" if parameter.get("required") else "")
    return name, parameter["in"], _form(parameter.get("schema", {})), parameter.get("description", "")


def _answers(responses: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for status, answer in responses.items():
        kinds = [f"`{kind}` {_form(content.get('schema', {}))}" for kind, content in answer.get("content", {}).items()]
        yield status, ", ".join(kinds), answer.get("description", "")


def _example(content: Mapping[str, Any]) -> Iterator[str]:
    examples = [one.get("value") for one in content.get("examples", {}).values()] or [content.get("example")]
    for example in examples[:1]:
        if example is not None:
            yield from ("```json", json.dumps(example, indent=2), "```", "")


def _schemas(api: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(api["components"]["schemas"].items()):
        yield f"### {name}"
        yield ""
        yield schema.get("description", "")
        yield ""
        required = schema.get("required", ())
        rows = [_field(field, found, field in required) for field, found in schema.get("properties", {}).items()]
        yield from _table(("field", "form", "what it is"), rows)


def _field(name: str, schema: Mapping[str, Any], required: bool) -> tuple[str, ...]:
    default = f" Default: `{json.dumps(schema['default'])}`." if "default" in schema else ""
    return f"`{name}`" + (" (required)" if required else ""), _form(schema), schema.get("description", "") + default


def _form(schema: Mapping[str, Any]) -> str:
    """Return a type in words, with its limits and a link to its schema."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if parts := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_form, parts))
    if words := schema.get("enum"):
        return ", ".join(f"`{word}`" for word in words)
    form = str(schema.get("type", "anything"))
    if form == "array":
        form = f"list of {_form(schema.get('items', {}))}"
    limits = [said.format(schema[name]) for name, said in _LIMITS.items() if name in schema]
    return ", ".join([form, *limits])


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> Iterator[str]:
    lines = ["| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |" for row in rows]
    if lines:
        yield "| " + " | ".join(head) + " |"
        yield "| " + " | ".join("---" for _ in head) + " |"
        yield from lines
        yield ""


def _fill(app: Sphinx, page: str, source: list[str]) -> None:
    if page == _PAGE:
        source[0] = source[0].replace(_MARK, render(document()))


def setup(app: Sphinx) -> Mapping[str, bool]:
    """Register the extension."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}
