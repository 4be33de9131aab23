"""The list of studies, and two side by side."""

import html
import re
from dataclasses import replace

import httpx
import pytest

from taskgraft.api.app import create_app
from taskgraft.api.settings import Settings
from taskgraft.search.store import Store
from tests.api.conftest import Api, serving
from tests.api.pages.browsing import page, text_of
from tests.api.test_http_comparisons import finish


@pytest.fixture(scope="module")
def succeeded(api: Api) -> str:
    return finish(api, name="speaker-done")


def test_an_empty_service_says_how_to_begin(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = replace(settings, data_dir=tmp_path_factory.mktemp("empty"), database_url="")
    with serving(create_app(empty)) as url, Store(empty.database_url) as store, httpx.Client(base_url=url) as http:
        words = text_of(page(Api(url, http, store, empty), "/"))
    assert "There is no study yet" in words
    assert "Add a dataset" in words


def test_a_row_says_state_verdict_reduction_and_size(api: Api, succeeded: str) -> None:
    words = text_of(page(api, "/?name=SPEAKER-done"))
    assert "speaker-done" in words
    assert "not refuted 1.0 % 10 % 60 %" in words
    assert f'href="/studies/{succeeded}"' in page(api, "/")


def test_studies_are_filtered_by_state_and_by_a_part_of_the_name(api: Api, succeeded: str) -> None:
    api.post(name="other-one")
    assert "other-one" not in page(api, "/?state=succeeded")
    assert "speaker-done" not in page(api, "/?name=other")
    assert "No study is like this" in page(api, "/?name=x_y%25")


def test_pages_follow_each_other(api: Api) -> None:
    for number in range(26):
        api.post(name=f"many-{number}")
    first = page(api, "/?name=many-")
    assert first.count("<tr>") == 26  # with the head
    found = next(part for part in first.split('href="') if "cursor=" in part and "Older" in part.partition("</a>")[0])
    second = page(api, found.partition('"')[0].replace("&amp;", "&"))
    assert "many-0" in second
    assert "many-25" not in second


def test_one_study_is_set_beside_another(api: Api, succeeded: str) -> None:
    other = api.post(name="other-two")
    listed = page(api, f"/?compare={succeeded}")
    assert f'href="/compare?a={succeeded}&amp;b={other}"' in listed
    words = text_of(page(api, f"/compare?a={succeeded}&b={other}"))
    assert "speaker-done other-two" in words
    assert "40,000 of 100,000 (60 % saved)" in words
    assert "There is no tree" in words


@pytest.mark.parametrize("query", ["name=GENTLE", "name=gentle"])
def test_the_api_filters_by_name_and_by_parent(api: Api, query: str) -> None:
    made = api.post(name=f"gentle-{query[-1].lower()}{query[-2].isupper()}")
    assert made in [item["id"] for item in api.http.get(f"/v1/studies?{query}").json()["items"]]
    assert api.http.get("/v1/studies?name=%25").json()["items"] == []
    for nobody in (f"parent={made}", "parent=%00", "name=%00"):
        assert api.http.get(f"/v1/studies?{nobody}").json()["items"] == []


def test_every_link_of_the_list_leads_to_a_page(api: Api, succeeded: str) -> None:
    """Follow each one: the filters had an empty cursor, which is refused."""
    for start in ("/", "/?state=queued", f"/?name=speaker&compare={succeeded}"):
        for href in set(re.findall(r'<a[^>]* href="(/\?[^"]*)"', page(api, start))):
            page(api, html.unescape(href))
