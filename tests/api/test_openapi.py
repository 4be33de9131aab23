"""The OpenAPI document and the page made from it; and what the door does not import."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from taskgraft.api.middleware.tokens import OPEN
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.tasks import is_valid_name
from tests.api.conftest import Api
from tests.api.pages.html import Page

_BODY = ("400", "408", "413", "415")
CALLS = {
    ("/v1/studies", "post"): {"200", "202", *_BODY, "409", "422", "429", "500", "503"},
    ("/v1/studies", "get"): {"200", "422", "500", "503"},
    ("/v1/studies/{study_id}", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}", "delete"): {"204", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/cancel", "post"): {"202", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/pause", "post"): {"202", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/resume", "post"): {"202", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/trials", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/trials/{number}", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/tradeoff", "get"): {"200", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/events", "get"): {"200", "204", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/matrix", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/tree", "get"): {"200", "404", "409", "422", "500", "503"},
    ("/v1/studies/{study_id}/trees", "post"): {"202", *_BODY, "404", "409", "422", "429", "500", "503"},
    ("/v1/studies/{study_id}/comparisons", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/comparisons", "post"): {"200", "202", *_BODY, "404", "409", "422", "429", "500", "503"},
    ("/v1/studies/{study_id}/artifacts", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/studies/{study_id}/artifacts/{name}", "get"): {"200", "206", "304", "400", "404", "416", "422", "500", "503"},
    ("/v1/studies/{study_id}/model", "get"): {"200", "206", "304", "400", "404", "416", "422", "500", "503"},
    ("/v1/datasets", "get"): {"200", "422", "500", "503"},
    ("/v1/datasets", "post"): {"200", "202", *_BODY, "422", "429", "500", "503"},
    ("/v1/datasets/{name}", "get"): {"200", "404", "422", "500", "503"},
    ("/v1/datasets/{name}", "put"): {"200", "202", *_BODY, "422", "429", "500", "503"},
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
    at_the_door = {"421"} if path in OPEN else {"401", "403", "421"}
    at_the_door |= set() if method == "get" else {"403", "415"}
    assert document["paths"][path][method]["responses"].keys() == CALLS[call] | at_the_door


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


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names)) == len(CALLS)
    assert {"create_study", "list_studies", "get_model", "upload_dataset", "healthz"} <= set(names)


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body of a request or an answer, with its place and its media type."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            holders = {"body": operation.get("requestBody", {}), **operation["responses"]}
            for which, holder in holders.items():
                for media_type, content in holder.get("content", {}).items():
                    yield f"{method} {path} {which} {media_type}", content


def test_every_body_of_json_has_an_example_that_is_valid(document: dict[str, Any]) -> None:
    for where, content in bodies(document):
        if "json" in where and "artifacts/{name} 20" not in where:  # a file of any kind
            assert "example" in content, where
            schema = {**content["schema"], "components": document["components"]}
            faults = [error.message for error in Draft202012Validator(schema).iter_errors(content["example"])]
            assert faults == [], where


def test_the_example_of_a_study_is_one(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/studies"]["post"]["requestBody"]["content"]["application/json"]
    assert StudySpec.parse(content["example"]).name == "speaker"


def test_limits_are_in_the_document(document: dict[str, Any]) -> None:
    task = document["components"]["schemas"]["TaskSpec"]["properties"]["name"]
    for name, is_right in {"a": True, "a.b-c_9": True, "a" * 64: True, "": False, "a" * 65: False, "-a": False}.items():
        assert bool(re.search(task["pattern"], name)) == is_right
        assert is_valid_name(name) == is_right
    listing = {one["name"]: one["schema"] for one in document["paths"]["/v1/studies"]["get"]["parameters"]}
    assert (listing["limit"]["minimum"], listing["limit"]["maximum"]) == (1, 500)


def test_a_model_is_a_zip(document: dict[str, Any], api: Api) -> None:
    responses = document["paths"]["/v1/studies/{study_id}/model"]["get"]["responses"]
    assert list(responses["200"]["content"]) == list(responses["206"]["content"]) == ["application/zip"]
    study_id = api.post()
    files = {"model.onnx": b"x", "labels.json": b"{}", "README.md": b"#", "study.yaml": b"a: 1", "model.pt2": b"x"}
    api.offer(study_id, files)
    assert api.http.get(f"/v1/studies/{study_id}/model").headers["content-type"] == "application/zip"
    documented = document["paths"]["/v1/studies/{study_id}/artifacts/{name}"]["get"]["responses"]["200"]["content"]
    for name in files:
        sent = api.http.get(f"/v1/studies/{study_id}/artifacts/{name}").headers["content-type"]
        assert sent.partition(";")[0] in documented


def test_the_page_tells_every_call_and_fetches_only_what_is_here(api: Api, document: dict[str, Any]) -> None:
    answer = api.http.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    for path, method in CALLS:
        assert f"{method.upper()} {path}" in answer.text
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in answer.text
    fetched = Page(answer.text).fetched
    assert [address for address in fetched if not address.startswith("/static/")] == ["data:,"]


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
