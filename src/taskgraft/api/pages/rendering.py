"""How a page is made: a template, the values that it shows, and the headers of every page."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from taskgraft.api.pages import assets, prose, words
from taskgraft.api.pages.telling import metric_shown, time_left
from taskgraft.api.pages.viewer import Viewer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: style sheets and scripts of this service, nothing inside the page."""

ENVIRONMENT = Environment(
    loader=PackageLoader("taskgraft.api.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Escapes all text, and fails on a value that is not given."""
ENVIRONMENT.filters.update(words.FILTERS)
ENVIRONMENT.filters["metric"] = metric_shown
ENVIRONMENT.filters["left"] = time_left
ENVIRONMENT.filters["prose"] = prose.to_html
ENVIRONMENT.globals["asset"] = assets.address


def render(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """Return a page; its template sees ``values``, the ``viewer`` and the ``path``."""
    html = ENVIRONMENT.get_template(template).render(viewer=Viewer.of(request), path=request.url.path, **values)
    return HTMLResponse(html, status, headers={"Content-Security-Policy": POLICY})
