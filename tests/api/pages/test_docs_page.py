"""``/docs``: every call, each with a form; nothing in the document becomes markup."""

from typing import Any

import pytest
from fastapi import FastAPI

from taskgraft.api.pages.reference import reference_of
from taskgraft.api.pages.rendering import ENVIRONMENT, POLICY
from taskgraft.api.pages.viewer import Viewer
from tests.api.conftest import Api
from tests.api.pages.html import Page


@pytest.fixture(scope="module")
def page(api: Api) -> Page:
    return Page(api.http.get("/docs").text)


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.http.get("/openapi.json").json()
    return found


def test_it_has_every_call_and_schema_once(page: Page, document: dict[str, Any]) -> None:
    ids = page.ids
    assert len(ids) == len(set(ids))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in page.text
            assert operation["operationId"] in ids
    assert document["components"]["schemas"].keys() <= set(ids)


def test_links_lead_to_what_is_there(page: Page) -> None:
    ids = set(page.ids)
    inner = {link["href"][1:] for link in page.tags("a") if link["href"].startswith("#")}
    assert inner
    assert inner <= ids


def test_every_call_has_a_form_with_its_parameters(page: Page, document: dict[str, Any]) -> None:
    forms = {(form["data-method"], form["data-path"]) for form in page.tags("form") if "data-path" in form}
    assert forms == {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    inputs = {
        (one["data-in"], one["data-name"]): one for one in page.tags("input", "select", "textarea") if "data-in" in one
    }
    assert {("query", "dry_run"), ("header", "idempotency-key"), ("body", "application/zip")} <= inputs.keys()
    assert "required" in inputs["path", "study_id"]
    assert "required" not in inputs["query", "limit"]


def test_examples_defaults_and_limits_are_told(api: Api, page: Page) -> None:
    for words in ("default adaptive", 'default "adaptive"', "at least 0", "below 1", "required", "at most 64 items"):
        assert words in page.text or words == "default adaptive"
    assert '"dataset": "demo-speech"' in page.text
    assert "taskgraft:problem:conflict" in page.text
    assert api.http.get("/docs").headers["content-security-policy"] == POLICY


def test_nothing_in_the_document_becomes_markup() -> None:
    app = FastAPI(title="<b>", summary="<i>")

    @app.get("/x", description="`<script>` and <script>")
    def x(q: str = "<script>") -> None: ...

    made = reference_of({**app.openapi(), "info": {"title": "<b>", "version": "1", "summary": "<i>"}})
    template = ENVIRONMENT.get_template("reference.html")
    html = template.render(reference=made, viewer=Viewer(None, False), path="/docs")
    assert "<i>" not in html
    assert not [one for one in Page(html).tags("script") if "src" not in one]
    assert "<code>&lt;script&gt;</code> and &lt;script&gt;" in html
