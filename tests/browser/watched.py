"""A page that is looked at: what its console says, and what axe-core finds."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page

SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 360, "height": 740}}
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
_WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@contextmanager
def watched(browser: Browser, base: str, **options: Any) -> Iterator[Page]:
    """Open a page; in the end its console must have said nothing.

    Chromium itself logs every answer of 400 and above; a form that says what is wrong gets such answers.
    """
    context = browser.new_context(base_url=base, accept_downloads=True, **options)
    page = context.new_page()
    page.set_default_timeout(60_000)
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if not _REFUSED.match(message.text):
            said.append(f"{page.url}: {message.text}")

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    try:
        yield page
        assert said == []
    finally:
        context.close()


def check(page: Page) -> None:
    """Have axe-core look at the page in every size and colour: it finds nothing, and nothing sticks out."""
    for name, size in SIZES.items():
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            nodes = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
            assert nodes == [], f"{page.url}, {name}, {scheme}"
        assert page.evaluate(_WIDER) <= 0, f"{page.url}, {name}"
    page.set_viewport_size(SIZES["wide"])  # type: ignore[arg-type]
