"""``/docs``: every call of the HTTP API, made from the OpenAPI document, with a form to try it."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from taskgraft.api.pages.reference import Reference, reference_of
from taskgraft.api.pages.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs_page(request: Request) -> Response:
    """Return the page; anybody may read it."""
    return render(request, "reference.html", reference=_reference(request.app))


def _reference(app: FastAPI) -> Reference:
    """Return what the page shows; the document of an application does not change."""
    state: Any = app.state
    if not hasattr(state, "reference"):
        state.reference = reference_of(app.openapi())
    found: Reference = state.reference
    return found
