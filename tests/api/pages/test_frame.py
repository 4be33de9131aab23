"""What all pages have in common: style sheet and script, errors, compression, policy."""

import json
import re
from importlib.resources import files

import pytest

from taskgraft.api.pages import assets
from taskgraft.api.pages.rendering import POLICY
from tests.api.conftest import Api
from tests.api.pages.browsing import browse, check_page, page, text_of

SCRIPT_BYTES = 10_000


def test_the_policy_allows_what_the_service_itself_serves_and_nothing_in_a_page(api: Api) -> None:
    answer = browse(api, "/")
    assert answer.headers["content-security-policy"] == POLICY
    assert POLICY == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("name", "media_type"), [("taskgraft.css", "text/css"), ("taskgraft.js", "text/javascript")])
def test_an_address_with_the_digest_may_be_kept_for_ever(api: Api, name: str, media_type: str) -> None:
    found = re.search(rf'"(/static/[0-9a-f]+/{re.escape(name)})"', page(api, "/"))
    assert found
    answer = api.http.get(found[1])
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    old = api.http.get(f"/static/0000/{name}")
    assert (old.content, old.headers["cache-control"]) == (answer.content, "no-cache")


@pytest.mark.parametrize("path", ["/static/x/layout.html", "/static/x/..%2frendering.py", "/static/taskgraft.css"])
def test_no_other_file_is_served(api: Api, path: str) -> None:
    assert api.http.get(path).status_code == 404


def test_the_scripts_are_small_and_the_sheet_knows_the_colours_of_the_pictures() -> None:
    scripts = files("taskgraft.api.pages").joinpath("static")
    assert sum(len(scripts.joinpath(name).read_bytes()) for name in ("common.js", "taskgraft.js")) < SCRIPT_BYTES
    sheet = assets.content("taskgraft.css").decode()
    assert ".tg-strong{fill:var(--tg-strong)}" in sheet
    assert set(re.findall(r"var\((--tg-[a-z-]+)\)", sheet)) <= set(re.findall(r"(--tg-[a-z-]+):", sheet))
    assert sheet.count("{") == sheet.count("}")
    assert "prefers-color-scheme" in sheet
    assert "prefers-reduced-motion" in sheet


@pytest.mark.parametrize("path", ["/nothing", "/studies/nothing", "/studies/nothing/trainings", "/compare?a=x&b=y"])
def test_what_is_not_there_is_a_page_for_browsers_and_a_problem_for_programs(api: Api, path: str) -> None:
    html = page(api, path, 404)
    assert "All studies" in text_of(html)
    assert api.http.get(path).headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/studies/nothing", "/v1/nothing"])
def test_the_api_answers_browsers_too_with_problems(api: Api, path: str) -> None:
    answer = browse(api, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_page_names_every_fault_of_its_address(api: Api) -> None:
    assert "cursor" in text_of(page(api, "/?cursor=%3Cscript%3E", 422))
    assert "one of queued, running" in text_of(page(api, "/?state=asleep", 422))
    assert page(api, "/?compare=nothing", 404)


@pytest.mark.parametrize("path", ["/<script>alert(1)</script>", "/?state=<script>alert(1)</script>", "/?name=<script>"])
def test_what_an_address_says_is_text(api: Api, path: str) -> None:
    html = browse(api, path).text
    assert "<script>" not in html
    check_page(html)


def test_pages_are_compressed_and_the_api_is_not(api: Api) -> None:
    assert browse(api, "/", **{"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in api.http.get("/openapi.json", headers={"Accept-Encoding": "gzip"}).headers
    assert "content-encoding" not in browse(api, "/", **{"Accept-Encoding": "identity"}).headers


def test_the_document_of_the_api_tells_nothing_of_pages(api: Api) -> None:
    paths = json.loads(api.http.get("/openapi.json").text)["paths"]
    assert all(path.startswith("/v1/") or path in ("/healthz", "/readyz", "/metrics") for path in paths)


def test_a_long_problem_is_a_page_for_a_browser_that_takes_compressed_ones(api: Api) -> None:
    path = "/" + "x" * 1_500
    assert "All studies" in text_of(page(api, path, 404))
    assert browse(api, path, **{"Accept-Encoding": "gzip"}).status_code == 404


def test_an_open_service_leads_on_instead_of_asking_for_a_token(api: Api) -> None:
    answer = browse(api, "/sign-in")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
