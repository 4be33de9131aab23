"""The scripts of pages: all of them are this service's own, and small."""

import gzip

import pytest

from tests.api.conftest import Api
from tests.api.pages.html import Page


@pytest.mark.parametrize("path", ["/", "/new", "/datasets", "/datasets/demo-speech", "/docs"])
def test_the_scripts_of_a_page_are_small(api: Api, path: str) -> None:
    answer = api.http.get(path)
    assert answer.status_code == 200
    addresses = [one["src"] for one in Page(answer.text).tags("script")]
    scripts = [api.http.get(address) for address in addresses]
    assert {script.headers["content-type"] for script in scripts} == {"text/javascript; charset=utf-8"}
    assert {script.headers["cache-control"] for script in scripts} == {"public, max-age=31536000, immutable"}
    assert addresses[0].endswith("/common.js")  # all others begin with what it has
    assert sum(len(gzip.compress(script.content)) for script in scripts) < 10_000
