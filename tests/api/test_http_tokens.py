"""A service with tokens: who may do what, over a real connection."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from taskgraft.api.client import Client
from taskgraft.api.middleware.tokens import OPEN
from taskgraft.api.settings import Settings
from taskgraft.errors import Forbidden, NotAuthenticated, QuotaExceeded
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.token import Quota, Scope
from tests.api.conftest import Api, body, serving_with_tokens
from tests.evaluators.datasets.zips import zip_of

ZIP = {"Content-Type": "application/zip"}
UPLOAD = zip_of({"manifest.csv": "path,split\n"})
UNKNOWN = "0123456789abcdef"


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Api]:
    with serving_with_tokens(settings) as api:
        yield api


def bearer(api: Api, scope: Scope, quota: Quota | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.store.tokens.create('tests', scope, quota=quota)[1]}"}


def check_refused(answer: httpx.Response) -> str:
    """The whole answer of one that is refused, which is the same whatever was wrong with the token."""
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="taskgraft"'
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.text


def test_all_tokens_that_are_none_get_the_same_answer(api: Api) -> None:
    _, expired = api.store.tokens.create("old", Scope.ADMIN, timedelta(microseconds=1))
    revoked, shown = api.store.tokens.create("gone", Scope.ADMIN)
    api.store.tokens.revoke(revoked.id)
    _, other = api.store.tokens.create("other", Scope.ADMIN)
    token_id, secret = shown.split("_", 2)[1], other.split("_", 2)[2]
    given = [
        None,
        "",
        "Bearer",
        "Basic dXNlcjpwYXNz",
        "Bearer tg_x_y",
        f"Bearer {expired}",
        f"Bearer {shown}",
        f"Bearer tg_{token_id}_{secret}",
        f"Bearer {other[:-1]}",
        f"Bearer {other}x",
        f"Bearer {other.upper()}",
    ]
    answers = {
        check_refused(api.http.get("/v1/studies", headers={} if value is None else {"Authorization": value}))
        for value in given
    }
    assert len(answers) == 1


@pytest.mark.parametrize("path", ["/v1/studies", "/v1/datasets", "/v1/templates", "/v1/nothing", "/", "/metrics"])
def test_everything_but_its_health_and_its_documentation_needs_a_token(api: Api, path: str) -> None:
    check_refused(api.http.get(path))


def test_health_and_documentation_are_open(api: Api) -> None:
    assert {"/healthz", "/readyz", "/docs", "/openapi.json", "/sign-in", "/sign-out"} == OPEN
    for path in OPEN - {"/sign-out"}:
        assert api.http.get(path).status_code in (200, 503)
    assert api.http.post("/sign-out").status_code == 204


def test_a_token_that_reads_changes_nothing(api: Api) -> None:
    reader = bearer(api, Scope.READ)
    for path in ("/v1/studies", "/v1/datasets", "/v1/templates"):
        assert api.http.get(path, headers=reader).status_code == 200
    for method, path in (
        ("POST", "/v1/studies"),
        ("POST", "/v1/datasets"),
        ("PUT", "/v1/datasets/a"),
        ("DELETE", "/v1/datasets/a"),
        ("DELETE", f"/v1/studies/{UNKNOWN}"),
        ("POST", f"/v1/studies/{UNKNOWN}/pause"),
        ("POST", f"/v1/studies/{UNKNOWN}/trees"),
        ("PATCH", f"/v1/studies/{UNKNOWN}"),
    ):
        answer = api.http.request(method, path, headers=reader)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:taskgraft:problem:forbidden"), path
        assert "scope write" in answer.json()["detail"]


def test_a_study_is_changed_by_its_own_token_and_by_admins(api: Api) -> None:
    owner, other, admin = bearer(api, Scope.WRITE), bearer(api, Scope.WRITE), bearer(api, Scope.ADMIN)
    study = api.http.post("/v1/studies", json=body(), headers=owner).json()
    path = f"/v1/studies/{study['id']}"
    assert study["made_by"] in owner["Authorization"]
    assert api.http.get(path, headers=other).status_code == 200
    for method, rest in (("POST", "/pause"), ("POST", "/cancel"), ("POST", "/resume"), ("DELETE", "")):
        assert api.http.request(method, path + rest, headers=other).status_code == 403
    assert api.http.post(f"{path}/pause", headers=owner).status_code == 202
    assert api.http.post(f"{path}/resume", headers=admin).status_code == 202
    assert api.http.delete(path, headers=owner).status_code == 204


def test_what_was_made_while_the_service_was_open_is_changed_by_admins_alone(api: Api) -> None:
    study, _ = api.store.create_study(StudySpec.parse(body()))
    path = f"/v1/studies/{study.id}/cancel"
    assert api.http.post(path, headers=bearer(api, Scope.WRITE)).status_code == 403
    assert api.http.post(path, headers=bearer(api, Scope.ADMIN)).status_code == 202


def test_a_dataset_is_changed_by_its_own_token(api: Api) -> None:
    owner, other = bearer(api, Scope.WRITE), bearer(api, Scope.WRITE)
    assert api.http.put("/v1/datasets/mine", content=UPLOAD, headers=ZIP | owner).status_code == 202
    assert api.http.get("/v1/datasets/mine", headers=other).json()["made_by"] in owner["Authorization"]
    assert api.http.put("/v1/datasets/mine", content=UPLOAD, headers=ZIP | other).status_code == 403
    assert api.http.delete("/v1/datasets/mine", headers=other).status_code == 403
    assert api.http.delete("/v1/datasets/mine", headers=owner).status_code == 204


def test_quotas_are_told_with_limit_and_value(api: Api) -> None:
    token = bearer(api, Scope.WRITE, Quota(queued=1, bytes=5))
    assert api.http.post("/v1/studies", json=body(), headers=token).status_code == 202
    answer = api.http.post("/v1/studies", json=body(), headers=token)
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:taskgraft:problem:quota-exceeded")
    assert "1 studies that are not finished; this would be number 2" in answer.json()["detail"]
    answer = api.http.put("/v1/datasets/large", content=UPLOAD, headers=ZIP | token)
    assert answer.status_code == 429
    assert "may store 5 bytes" in answer.json()["detail"]
    folder = api.settings.data_dir / "datasets"
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_token_is_taken_before_the_body_is_read(api: Api) -> None:
    answer = api.http.post("/v1/studies", content=b"{" * 500_000, headers={"Content-Type": "application/json"})
    check_refused(answer)


def test_the_client_raises_what_the_service_says(api: Api) -> None:
    with Client(api.url) as nobody, pytest.raises(NotAuthenticated):
        nobody.study(UNKNOWN)
    _, reading = api.store.tokens.create("tests", Scope.READ)
    with Client(api.url, reading) as reader, pytest.raises(Forbidden):
        reader.create_study(body())
    _, writing = api.store.tokens.create("tests", Scope.WRITE, quota=Quota(queued=0))
    with Client(api.url, writing) as writer, pytest.raises(QuotaExceeded):
        writer.create_study(body())


def test_use_is_noted_and_a_revoked_token_is_no_longer_taken(api: Api) -> None:
    token, shown = api.store.tokens.create("tests", Scope.READ)
    headers = {"Authorization": f"bearer {shown}"}
    assert api.http.get("/v1/templates", headers=headers).status_code == 200
    assert next(found for found in api.store.tokens.all() if found.id == token.id).last_used_at
    api.store.tokens.revoke(token.id)
    check_refused(api.http.get("/v1/templates", headers=headers))
