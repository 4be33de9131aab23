"""Studies: ask for one, look, stop, go on, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import JSONResponse

from taskgraft.api.catalog import Catalog
from taskgraft.api.context import SettingsDep, StoreDep, StudyDep, problems
from taskgraft.api.schemas import StudyPage, StudyView
from taskgraft.search.artifacts import remove_study_files
from taskgraft.search.plan import Plan, plan_study
from taskgraft.search.spec import StudySpec
from taskgraft.search.study import State

router = APIRouter(prefix="/v1/studies", tags=["studies"], responses=problems(422, 503))

_PLAN: dict[int | str, dict[str, Any]] = {200: {"model": Plan, "description": "dry run: what it would cost"}}


@router.post("", status_code=202, response_model=StudyView, responses=_PLAN | problems(400, 409, 413, 415))
def create_study(
    spec: StudySpec,
    request: Request,
    response: Response,
    store: StoreDep,
    settings: SettingsDep,
    *,
    dry_run: Annotated[bool, Query(description="say what it would cost, and queue nothing")] = False,
    idempotency_key: Annotated[
        str | None, Header(description="the same key with the same body gives the first study again")
    ] = None,
) -> Any:
    """Queue a study; or, with `dry_run`, answer what it would cost.

    A study may name datasets that are still being checked: it waits for them, and fails if one turns out broken.
    """
    catalog = Catalog(store, settings)
    if dry_run:
        return JSONResponse(plan_study(spec, catalog.outline(spec)).to_json())
    if not store.knows_key(idempotency_key):  # a study that was posted before is not judged by what changed since
        catalog.outline(spec)
    study, _ = store.create_study(spec, idempotency_key=idempotency_key, datasets=catalog.versions)
    response.headers["Location"] = request.app.url_path_for("get_study", study_id=study.id)
    return StudyView.of(study)


@router.get("")
def list_studies(
    store: StoreDep,
    state: State | None = None,
    limit: Annotated[int, Query(description="studies a page")] = 50,
    cursor: str | None = None,
) -> StudyPage:
    """Studies, newest first."""
    page = store.list_studies(state=state, limit=limit, cursor=cursor)
    return StudyPage(items=[StudyView.of(study) for study in page.items], next_cursor=page.next_cursor)


@router.get("/{study_id}", responses=problems(404))
def get_study(study: StudyDep) -> StudyView:
    """One study."""
    return StudyView.of(study)


@router.delete("/{study_id}", status_code=204, responses=problems(404, 409))
def delete_study(study: StudyDep, store: StoreDep, settings: SettingsDep) -> None:
    """Forget a study, its trials and its model."""
    store.delete_study(study.id)
    remove_study_files(settings.data_dir, study.id)


@router.post("/{study_id}/cancel", status_code=202, responses=problems(404, 409))
def cancel_study(study_id: str, store: StoreDep) -> StudyView:
    """Stop a study for good."""
    return StudyView.of(store.cancel_study(study_id))


@router.post("/{study_id}/pause", status_code=202, responses=problems(404, 409))
def pause_study(study_id: str, store: StoreDep) -> StudyView:
    """Stop a study for now; what is known stays known."""
    return StudyView.of(store.pause_study(study_id))


@router.post("/{study_id}/resume", status_code=202, responses=problems(404, 409))
def resume_study(study_id: str, store: StoreDep) -> StudyView:
    """Go on with a paused study."""
    return StudyView.of(store.resume_study(study_id))
