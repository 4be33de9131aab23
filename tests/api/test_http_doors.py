"""Hosts, origins, forms and headers: what a web page that a user happens to open can and cannot do."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from taskgraft.api.app import create_app
from taskgraft.api.middleware.hosts import Hosts
from taskgraft.api.settings import Settings
from tests.api.conftest import Api, body, serving
from tests.api.test_http_errors import check

STUDY = "/v1/studies"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain;charset=UTF-8")


def port(api: Api) -> int:
    return urlsplit(api.url).port or 0


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_service_goes_by_its_address_and_its_port(api: Api, name: str) -> None:
    assert api.http.get(STUDY, headers={"Host": f"{name}:{port(api)}"}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:{port}", "x@y"]
)
@pytest.mark.parametrize("path", [STUDY, "/healthz", "/docs", "/nothing"])
def test_a_name_that_leads_here_by_somebody_elses_dns_is_refused(api: Api, host: str, path: str) -> None:
    check(api.http.get(path, headers={"Host": host.format(port=port(api))}), 421)


def test_a_user_may_allow_names(settings: Settings) -> None:
    allowing = replace(settings, allowed_hosts=("Audio.example.org", "other:80"))
    with serving(create_app(allowing)) as url:
        for host, status in {
            "audio.example.org": 200,
            "AUDIO.example.org:4430": 200,
            "other:80": 200,
            "other": 421,
            "other:81": 421,
            "audio.example.org.evil.example": 421,
        }.items():
            assert httpx.get(f"{url}/healthz", headers={"Host": host}).status_code == status, host
        own = {"Host": "audio.example.org", "Origin": "https://audio.example.org"}
        assert httpx.post(f"{url}{STUDY}/x/pause", headers=own).status_code == 404
        rewritten = {"Origin": "https://audio.example.org"}
        assert httpx.post(f"{url}{STUDY}/x/pause", headers=rewritten).status_code == 404


@pytest.mark.parametrize(
    ("bound", "host", "server", "is_own"),
    [
        ("0.0.0.0", "10.0.0.7:8080", ("10.0.0.7", 8080), True),
        ("0.0.0.0", "10.0.0.8:8080", ("10.0.0.7", 8080), False),
        ("::", "[fd00::1]:8080", ("fd00::1", 8080), True),
        ("::1", "[::1]:80", ("::1", 80), True),
        ("127.0.0.1", "localhost", ("127.0.0.1", 80), True),
        ("127.0.0.1", "localhost", ("127.0.0.1", 8080), False),
        ("node7", "node7:8080", ("10.0.0.7", 8080), True),
        ("127.0.0.1", "", ("127.0.0.1", 80), False),
        ("127.0.0.1", "localhost:8080", None, False),
    ],
)
def test_the_address_that_was_reached_is_a_name(
    bound: str, host: str, server: tuple[str, int | None] | None, is_own: bool
) -> None:
    assert Hosts(bound).is_own(host, server) == is_own


def moving(api: Api, **headers: str) -> int:
    """The status of a request that would stop a study."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.http.post(f"{STUDY}/{api.post()}/cancel", headers=named).status_code


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1", "file://"]
)
def test_a_page_from_elsewhere_cannot_stop_a_study(api: Api, origin: str) -> None:
    assert moving(api, Origin=origin) == 403
    answer = api.http.post(STUDY, json=body(), headers={"Origin": origin})
    check(answer, 403)
    for method in ("PUT", "DELETE"):
        assert api.http.request(method, "/v1/datasets/x", headers={"Origin": origin}).status_code == 403


def test_the_services_own_pages_and_programs_can(api: Api) -> None:
    assert moving(api) == 202
    assert moving(api, Origin=api.url) == 202
    assert moving(api, Origin=api.url, Sec_Fetch_Site="same-origin") == 202
    assert moving(api, Sec_Fetch_Site="none") == 202


@pytest.mark.parametrize("site", ["cross-site", "same-site", "strange"])
def test_a_page_from_elsewhere_can_follow_a_link_and_no_more(api: Api, site: str) -> None:
    assert moving(api, Sec_Fetch_Site=site) == 403
    assert api.http.get(STUDY, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert api.http.get("/docs", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_a_form_can_send_changes_anything(api: Api, form: str) -> None:
    headers = {"Content-Type": form}
    check(api.http.post(f"{STUDY}/{api.post()}/cancel", headers=headers), 415)
    check(api.http.post(STUDY, content=b"{}", headers=headers), 415)
    check(api.http.put("/v1/datasets/x", content=b"PK", headers=headers), 415)


@pytest.fixture(scope="module")
def broken(settings: Settings) -> Iterator[str]:
    app = create_app(settings)

    @app.get("/broken")
    def fail() -> None:
        raise RuntimeError("unexpected")

    with serving(app) as url:
        yield url


def test_every_answer_tells_browsers_to_do_nothing_with_it(api: Api, broken: str) -> None:
    answers = [
        api.http.get("/healthz"),
        api.http.get(STUDY),
        api.http.get("/docs"),
        api.http.get("/nothing"),
        api.http.put(STUDY),
        api.http.get(STUDY, headers={"Host": "evil.example"}),
        api.http.post(STUDY, headers={"Origin": "null"}),
        api.http.post(STUDY, content=b"{", headers={"Content-Type": "application/json"}),
        httpx.get(f"{broken}/broken"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 405, 421, 403, 400, 500]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "server" not in answer.headers
        assert not any(name.startswith("access-control-") for name in answer.headers)


def test_a_wrong_method_is_told_all_that_are_right(api: Api) -> None:
    for path, methods in {
        STUDY: "GET, POST",
        f"{STUDY}/0123456789abcdef": "DELETE, GET",
        "/v1/datasets/x": "DELETE, GET, PUT",
        f"{STUDY}/0123456789abcdef/model": "GET, HEAD",
        "/v1/templates": "GET",
    }.items():
        answer = api.http.patch(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
