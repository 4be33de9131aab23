"""``/new``: the form that makes a study. Its script posts what the HTTP API takes, and shows what that answers."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from taskgraft.api.context import StoreDep
from taskgraft.api.dataset_schemas import DatasetView
from taskgraft.api.pages import choices
from taskgraft.api.pages.rendering import render
from taskgraft.api.routes.datasets import list_datasets
from taskgraft.api.routes.service import list_templates
from taskgraft.api.routes.studies import get_study
from taskgraft.search.store import MAX_PAGE

router = APIRouter(include_in_schema=False)


@router.get("/new")
def new_study_page(
    request: Request,
    store: StoreDep,
    origin: Annotated[str, Query(alias="from")] = "",
    dataset: str = "",
) -> Response:
    """Return the form: empty, with a dataset, or with all that the study ``from`` asks for.

    Raises:
        NotFound: there is no such study.
    """
    spec = _spec_of(store, origin) if origin else choices.blank(dataset)
    offered = [choices.DatasetChoice.of(view) for view in _all_datasets(store)]
    return render(
        request,
        "new_study.html",
        origin=origin,
        spec=spec,
        json=json.dumps(spec, indent=2, ensure_ascii=False),
        datasets=offered,
        kinds=choices.KINDS,
        several=choices.SEVERAL,
        metrics=choices.metrics_by_kind(),
        strategies=[(strategy.value, f"{strategy.value}: {words}") for strategy, words in choices.STRATEGIES.items()],
        templates=[(template.name, template.name) for template in list_templates().items],
    )


def _spec_of(store: StoreDep, study_id: str) -> dict[str, Any]:
    return choices.short(get_study(store.get_study(study_id)).spec)


def _all_datasets(store: StoreDep) -> list[DatasetView]:
    """Return the datasets of all pages of the list."""
    page = list_datasets(store, MAX_PAGE, None)
    found = list(page.items)
    while page.next_cursor:
        page = list_datasets(store, MAX_PAGE, page.next_cursor)
        found += page.items
    return found
