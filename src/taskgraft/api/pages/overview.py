"""The list of studies, and two of them side by side."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from taskgraft.api.context import StoreDep
from taskgraft.api.pages.reading import Reader, attempt
from taskgraft.api.pages.rendering import render
from taskgraft.api.pages.telling import Telling
from taskgraft.api.pages.tree_part import TreePart
from taskgraft.api.routes.studies import get_study, list_studies
from taskgraft.api.schemas import StudyView
from taskgraft.errors import InvalidInput
from taskgraft.search.store import Store
from taskgraft.search.study.states import State

router = APIRouter(include_in_schema=False)

_PAGE = 25

StudyOf = Annotated[str, Query(max_length=200, description="the id of a study")]


@router.get("/")
async def studies_page(
    store: StoreDep,
    request: Request,
    state: str = "",
    name: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    compare: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Return the list of studies; with ``compare``, each of them may be set beside that study."""
    chosen = _state(state)
    page = await run_in_threadpool(list_studies, store, chosen, name or None, None, _PAGE, cursor)
    first = StudyView.of(await run_in_threadpool(store.get_study, compare)) if compare else None
    return render(
        request,
        "studies.html",
        studies=page.items,
        next_cursor=page.next_cursor,
        states=list(State),
        state=chosen,
        name=name,
        cursor=cursor,
        first=first,
        is_moving=any(not study.state.is_final for study in page.items),
    )


def _state(text: str) -> State | None:
    if not text:
        return None
    try:
        return State(text)
    except ValueError:
        raise InvalidInput.at("state", f"one of {', '.join(State)}; got {text!r:.80}") from None


@router.get("/compare")
async def compare_page(store: StoreDep, request: Request, a: StudyOf, b: StudyOf) -> Response:
    """Return two studies side by side."""
    sides = await asyncio.gather(_side(store, request, a), _side(store, request, b))
    tasks = list(dict.fromkeys(task.name for view, _, _ in sides for task in view.spec.tasks))
    return render(request, "compare.html", sides=sides, tasks=tasks, results=[_by_name(view) for view, _, _ in sides])


async def _side(store: Store, request: Request, study_id: str) -> tuple[StudyView, Telling, TreePart | None]:
    study = await run_in_threadpool(store.get_study, study_id)
    found = await attempt(Reader(request, study).tree())
    view = get_study(study)
    return view, Telling(view), await run_in_threadpool(TreePart.of, found.value) if found.value else None


def _by_name(view: StudyView) -> dict[str, object]:
    return {task.name: task for task in view.result.tasks} if view.result else {}
