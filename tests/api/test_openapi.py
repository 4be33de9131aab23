"""The OpenAPI document and the page made from it; and what the door does not import."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi import FastAPI

from taskgraft.api.docs import render
from tests.api.conftest import Api

CALLS = {
    ("/v1/studies", "post"): {"200", "202", "400", "409", "413", "415", "422", "500", "503"},
    ("/v1/studies", "get"): {"200", "422", "500", "503"},
    ("/v1/studies/{study_id}", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}", "delete"): {"204", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/cancel", "post"): {"202", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/pause", "post"): {"202", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/resume", "post"): {"202", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/trials", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/matrix", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/tree", "get"): {"200", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/trees", "post"): {"202", "400", "404", "409", "413", "415", "422", "500", "503"},
    ("/v1/studies/{study_id}/comparisons", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/comparisons", "post"): {
        "200",
        "202",
        "400",
        "404",
        "409",
        "413",
        "415",
        "422",
        "500",
        "503",
    },
    ("/v1/studies/{study_id}/artifacts", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/artifacts/{name}", "get"): {"200", "206", "304", "400", "404", "416", "422", "500", "503"},
    ("/v1/studies/{study_id}/model", "get"): {"200", "206", "304", "400", "404", "416", "422", "500", "503"},
    ("/v1/datasets", "get"): {"200", "422", "500", "503"},
    ("/v1/datasets", "post"): {"200", "202", "400", "413", "415", "422", "500", "503"},
    ("/v1/datasets/{name}", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/datasets/{name}", "put"): {"200", "202", "400", "413", "415", "422", "500", "503"},
    ("/v1/datasets/{name}", "delete"): {"204", "404", "409", "422", "500", "503"},
    ("/v1/templates", "get"): {"200", "500"},
    ("/healthz", "get"): {"200", "500"},
    ("/readyz", "get"): {"200", "500", "503"},
    ("/metrics", "get"): {"200", "500", "503"},
}


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    answer: dict[str, Any] = api.http.get("/openapi.json").json()
    return answer


@pytest.mark.parametrize("call", CALLS)
def test_every_call_is_there_with_every_answer(document: dict[str, Any], call: tuple[str, str]) -> None:
    path, method = call
    assert document["paths"][path][method]["responses"].keys() == CALLS[call]


def test_errors_are_problem_details_everywhere(document: dict[str, Any]) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', str(document).replace("'", '"')))
    assert names <= document["components"]["schemas"].keys()


def test_answers_are_typed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["StudyView"]["properties"]["result"]["anyOf"][0] == {"$ref": "#/components/schemas/ResultView"}
    assert schemas["StudySpec"]["required"] == ["ar_threshold", "tasks"]
    assert schemas["State"]["enum"] == ["queued", "running", "paused", "cancelling", "succeeded", "failed", "cancelled"]


class _Page(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name == "src" or (tag == "link" and name == "href")]


def test_the_page_tells_every_call_and_needs_no_network(api: Api, document: dict[str, Any]) -> None:
    answer = api.http.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    for path, method in CALLS:
        assert f"{method.upper()} {path}" in answer.text
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in answer.text
    page = _Page()
    page.feed(answer.text)
    assert page.fetched == []


def test_nothing_in_the_document_becomes_markup() -> None:
    app = FastAPI(title="<b>", summary="<i>")

    @app.get("/x", description="<script>")
    def x(q: str = "") -> None: ...

    page = render(app.openapi())
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page


def test_the_door_opens_without_torch_and_ray() -> None:
    code = """
import sys
from pathlib import Path
from taskgraft.api.app import create_app
from taskgraft.api.settings import Settings
create_app(Settings(data_dir=Path("unused")))
import taskgraft.api.client, taskgraft.api.service
print(*sorted({name.split(".")[0] for name in sys.modules} & {"torch", "torchaudio", "ray", "onnxruntime"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
