"""Everything that goes wrong at the HTTP door is problem details, and none of it a traceback."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from taskgraft.api.app import create_app
from taskgraft.api.middleware.bodies import MAX_BODY
from taskgraft.api.problems import KINDS
from taskgraft.api.settings import Settings
from taskgraft.errors import TaskgraftError
from tests.api.conftest import Api, body, serving

JSON_HEADERS = {"Content-Type": "application/json"}
UNKNOWN = "0123456789abcdef"


def fields(answer: httpx.Response, status: int = 422) -> list[str]:
    """The fields that a problem names, once it is checked to be one."""
    check(answer, status)
    return [fault["field"] for fault in answer.json()["errors"]]


def check(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() >= {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert "Traceback" not in answer.text


def test_every_fault_of_a_body_is_named_at_once(api: Api) -> None:
    tasks = [
        {"name": "a", "dataset": "demo-speech", "target": "gender"},
        {"name": "no spaces", "dataset": "demo-speech", "target": "gender"},
        {"name": "b", "target": "word", "kind": "x"},
    ]
    answer = api.http.post("/v1/studies", json=body(tasks=tasks, ar_threshold=1, seed=-1, colour="red"))
    assert sorted(fields(answer)) == [
        "ar_threshold",
        "colour",
        "seed",
        "tasks.1.name",
        "tasks.2.dataset",
        "tasks.2.kind",
    ]


def test_every_fault_against_the_data_is_named_at_once(api: Api) -> None:
    tasks = [
        {"name": "a", "dataset": "demo-speech", "target": "shoe size"},
        {"name": "b", "dataset": "../../etc/passwd", "target": "word"},
    ]
    named = fields(api.http.post("/v1/studies", json=body(tasks=tasks)))
    assert sorted(named) == ["tasks.0.target", "tasks.1.dataset"]


def test_a_manifest_on_the_disk_of_the_service_is_no_dataset(api: Api) -> None:
    path = next(api.settings.data_dir.rglob("manifest.csv"))
    tasks = [{"name": "a", "dataset": str(path), "target": "word"}]
    assert fields(api.http.post("/v1/studies", json=body(tasks=tasks))) == ["tasks.0.dataset"]


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_study_without_tasks_is_refused(api: Api, dry_run: bool) -> None:
    answer = api.http.post("/v1/studies", params={"dry_run": dry_run}, json=body(tasks=[]))
    assert fields(answer) == ["tasks"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(api: Api, number: str) -> None:
    text = json.dumps(body()).replace('"ar_threshold": 0.1', f'"ar_threshold": {number}')
    answer = api.http.post("/v1/studies", content=text, headers=JSON_HEADERS)
    assert fields(answer) == ["ar_threshold"]


@pytest.mark.parametrize(
    "text",
    [b"{", b"", b'{"name": "a",}', b"\xff\xfe", b'"\\ud8"', b"[" * 100_000, b'{"seed": ' + b"9" * 5_000 + b"}"],
    ids=["open", "empty", "comma", "bytes", "escape", "deep", "digits"],
)
def test_a_body_that_is_no_json_is_malformed(api: Api, text: bytes) -> None:
    answer = api.http.post("/v1/studies", content=text, headers=JSON_HEADERS)
    check(answer, 400 if text else 422)


@pytest.mark.parametrize("text", [b"null", b"[]", b'"study"', b"1"])
def test_a_body_that_is_no_object_is_invalid(api: Api, text: bytes) -> None:
    assert fields(api.http.post("/v1/studies", content=text, headers=JSON_HEADERS)) == ["body"]


@pytest.mark.parametrize("field", ["name", "template", "tasks.0.name", "tasks.0.dataset", "tasks.0.target"])
def test_half_a_surrogate_pair_is_a_fault_like_any_other(api: Api, field: str) -> None:
    study = body()
    *_, key = field.split(".")
    (study["tasks"][0] if "." in field else study)[key] = "\ud800"
    answer = api.http.post("/v1/studies", content=json.dumps(study), headers=JSON_HEADERS)
    assert fields(answer) == [field]


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}]
)
def test_a_body_that_does_not_say_it_is_json_is_unsupported(api: Api, headers: dict[str, str]) -> None:
    check(api.http.post("/v1/studies", content=json.dumps(body()).encode(), headers=headers), 415)


def chunks(size: int) -> Iterator[bytes]:
    """A body whose size is not announced."""
    for _ in range(0, size, 4096):
        yield b" " * 4096


@pytest.mark.parametrize("size", [MAX_BODY + 1, 20 * MAX_BODY])
def test_too_large_a_body_is_refused_announced_or_not(api: Api, size: int) -> None:
    check(api.http.post("/v1/studies", content=b" " * size, headers=JSON_HEADERS), 413)
    check(api.http.post("/v1/studies", content=chunks(size + 4096), headers=JSON_HEADERS), 413)


def test_a_body_of_the_largest_size_is_read(api: Api) -> None:
    text = json.dumps(body()).encode()
    answer = api.http.post("/v1/studies", content=text + b" " * (MAX_BODY - len(text)), headers=JSON_HEADERS)
    assert answer.status_code == 202


@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/v1/studies/", "/v1/studies/a/b/c", "/v1/templates/cnn8"])
def test_an_unknown_route_is_not_found(api: Api, path: str) -> None:
    check(api.http.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/studies"), ("POST", "/healthz"), ("DELETE", "/v1/templates")]
)
def test_a_wrong_method_is_told_which_are_right(api: Api, method: str, path: str) -> None:
    answer = api.http.request(method, path)
    check(answer, 405)
    assert answer.headers["allow"]


@pytest.mark.parametrize("study_id", [UNKNOWN, "x", "..%2F..%2Fetc", "%00", "%ED%A0%80", "é", "a" * 5000])
@pytest.mark.parametrize("rest", ["", "/trials", "/matrix", "/tree", "/artifacts", "/artifacts/model.onnx", "/model"])
def test_an_unknown_study_is_not_found(api: Api, study_id: str, rest: str) -> None:
    check(api.http.get(f"/v1/studies/{study_id}{rest}"), 404)


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
def test_an_unknown_study_cannot_be_moved(api: Api, verb: str) -> None:
    check(api.http.post(f"/v1/studies/{UNKNOWN}/{verb}"), 404)


def test_a_request_that_is_no_http_does_not_stop_the_service(api: Api) -> None:
    with socket.create_connection((api.http.base_url.host, api.http.base_url.port or 80)) as raw:
        raw.sendall(b"\x00\xff NONSENSE\r\n\r\n")
        assert raw.recv(64).startswith(b"HTTP/1.1 400")
    assert api.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("cls", KINDS)
def test_every_error_of_the_tree_has_its_status(settings: Settings, cls: type[TaskgraftError]) -> None:
    app = create_app(settings)

    @app.get("/broken")
    def broken() -> None:
        raise cls(())

    with serving(app) as url:
        check(httpx.get(f"{url}/broken"), KINDS[cls].status)


def test_an_unexpected_error_tells_nothing_of_the_inside(settings: Settings) -> None:
    app = create_app(settings)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("the secret")

    with serving(app) as url:
        answer = httpx.get(f"{url}/broken")
    check(answer, 500)
    assert "secret" not in answer.text
