"""How a browser asks for pages, and what a page must not have."""

import re
from html.parser import HTMLParser

import httpx

from tests.api.conftest import Api

SECONDS = 60
"""What a page takes at most if a tree has to be worked out for it by a process that has to start first."""
HTML = {"Accept": "text/html,application/xhtml+xml"}


def browse(api: Api, path: str, **headers: str) -> httpx.Response:
    """Return what a browser gets at a path."""
    return api.http.get(path, headers=HTML | headers, timeout=SECONDS)


def page(api: Api, path: str, status: int = 200) -> str:
    """Return a page, which keeps to the policy and is well formed."""
    answer = browse(api, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
    check_page(answer.text)
    return answer.text


def text_of(html: str) -> str:
    """Return the words of a page."""
    words = " ".join(re.sub(r"<[^>]*>", " ", html).replace("\xa0", " ").split())
    return re.sub(r" ([:,.;])", r"\1", words)


def check_page(html: str) -> None:
    """Check that elements are closed in order, that ids are unique, and that nothing breaks the policy."""
    checker = _Checker()
    checker.feed(html)
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids)), checker.ids


class _Checker(HTMLParser):
    """Follows open elements."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag not in ("style", "base", "iframe")
        assert tag != "script" or (given.get("src") or "").startswith("/static/")
        assert not [name for name in given if name == "style" or name.startswith("on")]
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in ("meta", "link", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)
