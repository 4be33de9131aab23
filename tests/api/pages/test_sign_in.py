"""Signing in: a cookie that stands for a token, and for nothing more."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from taskgraft.api.settings import Settings
from taskgraft.search.study.token import Scope
from tests.api.conftest import Api, body, serving_with_tokens
from tests.api.pages.browsing import HTML, text_of

COOKIE = "taskgraft_token"


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Api]:
    with serving_with_tokens(settings) as api:
        yield api


def sign_in(api: Api, scope: Scope = Scope.READ, **headers: str) -> httpx.Response:
    shown = api.store.tokens.create("person", scope)[1]
    return httpx.post(f"{api.url}/sign-in", json={"token": shown}, headers=headers)


def browser(api: Api, scope: Scope) -> httpx.Client:
    """A browser in which a person has signed in."""
    return httpx.Client(base_url=api.url, headers={"Cookie": f"{COOKIE}={sign_in(api, scope).cookies[COOKIE]}"})


@pytest.mark.parametrize("path", ["/", "/studies/nothing", "/compare?a=x&b=y"])
def test_whoever_is_not_signed_in_gets_the_page_to_do_so(api: Api, path: str) -> None:
    answer = api.http.get(path, headers=HTML)
    assert answer.status_code == 401
    assert "This service asks for an API token" in text_of(answer.text)
    assert api.http.get(path).headers["content-type"] == "application/problem+json"


def test_the_page_to_sign_in_and_what_it_needs_are_open(api: Api) -> None:
    answer = api.http.get("/sign-in", headers=HTML)
    assert answer.status_code == 200
    assert api.http.get("/static/x/taskgraft.css").status_code == 200


def test_a_cookie_is_out_of_reach_of_scripts_and_other_sites(api: Api) -> None:
    (cookie,) = sign_in(api).headers.get_list("set-cookie")
    said = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", "max-age=604800"} <= said
    assert "secure" not in said


def test_a_cookie_of_a_secure_page_is_sent_to_secure_pages_alone(api: Api) -> None:
    assert "secure" in sign_in(api, origin=api.url.replace("http://", "https://")).headers["set-cookie"].lower()


def test_a_cookie_ends_with_its_token(api: Api) -> None:
    shown = api.store.tokens.create("short", Scope.READ, timedelta(hours=1))[1]
    cookie = httpx.post(f"{api.url}/sign-in", json={"token": shown}).headers["set-cookie"]
    seconds = int(cookie.partition("Max-Age=")[2].partition(";")[0])
    assert 3500 < seconds <= 3600


@pytest.mark.parametrize("token", ["tg_x", "tg_0000_" + "A" * 43, ""])
def test_what_is_no_token_gives_no_cookie(api: Api, token: str) -> None:
    answer = httpx.post(f"{api.url}/sign-in", json={"token": token})
    assert answer.status_code in (401, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "set-cookie" not in answer.headers


def test_a_revoked_token_ends_what_its_cookie_may(api: Api) -> None:
    token, shown = api.store.tokens.create("gone", Scope.READ)
    cookie = {"Cookie": f"{COOKIE}={shown}"}
    assert api.http.get("/", headers=HTML | cookie).status_code == 200
    api.store.tokens.revoke(token.id)
    assert api.http.get("/", headers=HTML | cookie).status_code == 401


def test_a_cookie_reads_as_the_token_does(api: Api) -> None:
    with browser(api, Scope.READ) as http:
        assert "Sign out (person)" in text_of(http.get("/", headers=HTML).text)
        assert http.get("/v1/studies").status_code == 200


def test_changes_by_cookie_take_the_origin_of_the_service(api: Api) -> None:
    with browser(api, Scope.WRITE) as http:
        assert http.post("/v1/studies", json=body()).status_code == 403
        assert http.post("/v1/studies", json=body(), headers={"Origin": "http://evil.example"}).status_code == 403
        assert http.post("/v1/studies", json=body(), headers={"Origin": api.url}).status_code == 202


def test_a_cookie_gives_no_more_than_its_scope(api: Api) -> None:
    with browser(api, Scope.READ) as http:
        assert http.post("/v1/studies", json=body(), headers={"Origin": api.url}).status_code == 403


def test_a_header_counts_before_the_cookie(api: Api) -> None:
    with browser(api, Scope.ADMIN) as http:
        assert http.get("/v1/studies", headers={"Authorization": "Bearer tg_x"}).status_code == 401


def test_signing_out_forgets_the_cookie(api: Api) -> None:
    with browser(api, Scope.READ) as http:
        answer = http.post("/sign-out", json={}, headers={"Origin": api.url})
        assert answer.status_code == 204
        assert "Max-Age=0" in answer.headers["set-cookie"]


def test_whoever_reads_only_is_offered_nothing_that_writes(api: Api) -> None:
    with browser(api, Scope.WRITE) as http:
        made = http.post("/v1/studies", json=body(), headers={"Origin": api.url}).json()["id"]
        assert f"/v1/studies/{made}/cancel" in http.get(f"/studies/{made}", headers=HTML).text
    with browser(api, Scope.READ) as http:
        assert "/cancel" not in http.get(f"/studies/{made}", headers=HTML).text
