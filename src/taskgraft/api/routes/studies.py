"""Studies: create, read, stop, continue, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import JSONResponse

from taskgraft.api.catalog import Catalog
from taskgraft.api.context import PAGE, OwnStudyDep, SettingsDep, StoreDep, StudyDep, TokenDep, problems
from taskgraft.api.schemas import StudyPage, StudyView, SummaryView, TreeRequest
from taskgraft.errors import Conflict, InvalidInput
from taskgraft.search.running.artifacts import Checkpoints, remove_study_files
from taskgraft.search.store.studies import check_key
from taskgraft.search.strategies.plan import Plan, plan_study
from taskgraft.search.study.encoder import check_no_import
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State

router = APIRouter(prefix="/v1/studies", tags=["studies"], responses=problems(422, 503))

_PLAN: dict[int | str, dict[str, Any]] = {200: {"model": Plan, "description": "dry run: what it would cost"}}


IdempotencyKey = Annotated[
    str | None,
    Header(
        description="the same key with the same body gives the first study again; 1 to 255 printable characters",
        json_schema_extra={"minLength": 1, "maxLength": 255},
    ),
]


@router.post("", status_code=202, response_model=StudyView, responses=_PLAN | problems(400, 408, 409, 413, 415, 429))
def create_study(
    spec: StudySpec,
    request: Request,
    response: Response,
    store: StoreDep,
    settings: SettingsDep,
    token: TokenDep,
    *,
    dry_run: Annotated[bool, Query(description="say what it would cost, and queue nothing")] = False,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Queue a study; or, with `dry_run`, return what it would cost.

    A study may name datasets that are still being checked: it waits for them, and fails if one turns out broken.
    """
    check_key(idempotency_key)
    catalog = Catalog(store, settings)
    if dry_run:
        return JSONResponse(plan_study(spec, catalog.outline(spec)).to_json())
    if not store.knows_key(idempotency_key):  # a study that was posted before is not judged by what changed since
        catalog.outline(spec)
    study, _ = store.create_study(spec, idempotency_key=idempotency_key, datasets=catalog.versions, token=token)
    response.headers["Location"] = request.app.url_path_for("get_study", study_id=study.id)
    return StudyView.of(study)


@router.get("")
def list_studies(
    store: StoreDep,
    state: State | None = None,
    name: Annotated[str | None, Query(description="a part of the name, in capitals or not", max_length=200)] = None,
    parent: Annotated[
        str | None, Query(description="the study whose trees or comparisons they are", max_length=200)
    ] = None,
    limit: Annotated[int, Query(description="studies a page", json_schema_extra=PAGE)] = 50,
    cursor: Annotated[str | None, Query(description="the `next_cursor` of the page before", min_length=1)] = None,
) -> StudyPage:
    """List studies, newest first: in short, `GET /v1/studies/{id}` says all about one."""
    page = store.summaries.page(state, limit, cursor, name=name, parent=parent)
    return StudyPage(items=[SummaryView.model_validate(item) for item in page.items], next_cursor=page.next_cursor)


@router.get("/{study_id}", responses=problems(404))
def get_study(study: StudyDep) -> StudyView:
    """Return one study."""
    return StudyView.of(study)


@router.delete("/{study_id}", status_code=204, responses=problems(404, 409))
def delete_study(study: OwnStudyDep, store: StoreDep, settings: SettingsDep) -> None:
    """Delete a study, its trials and its model."""
    store.delete_study(study.id)
    remove_study_files(settings.data_dir, study.id)


_GROWS_TREES = frozenset({State.RUNNING, State.PAUSED, State.SUCCEEDED, State.CANCELLED})
"""States of a study from which a tree for another threshold can be made. A queued one has found nothing yet; what
failed one would fail its child, too."""


@router.post("/{study_id}/trees", status_code=202, responses=problems(400, 404, 408, 409, 413, 415, 429))
def create_tree(
    wanted: TreeRequest,
    study: StudyDep,
    request: Request,
    response: Response,
    store: StoreDep,
    settings: SettingsDep,
    token: TokenDep,
    idempotency_key: IdempotencyKey = None,
) -> StudyView:
    """Queue a study that trains and verifies the tree of another threshold, from what this one has found.

    It is this study but for its threshold. It takes over every finished training that tells something at the new
    threshold, trains what is missing, and ends with a model of its own.
    """
    if wanted.ar_threshold == study.spec.ar_threshold:
        raise InvalidInput.at("ar_threshold", f"is another one than the study's own; got {wanted.ar_threshold}")
    if study.comparison:
        raise Conflict(f"study {study.id} is a comparison: it has no tree of its own")
    if study.state not in _GROWS_TREES:
        rule = f"only one that is {' or '.join(sorted(_GROWS_TREES))} gives trees for other thresholds"
        raise Conflict(f"study {study.id} is {study.state}: {rule}")
    check_no_import(study.spec.imported)
    spec = study.at_threshold(wanted.ar_threshold)
    catalog = Catalog(store, settings, study.datasets)
    if not store.knows_key(idempotency_key):
        catalog.check_unchanged(study, spec)
    child, _ = store.create_study(
        spec,
        idempotency_key=idempotency_key,
        datasets=catalog.versions or study.datasets,
        parent=study.id,
        token=token,
    )
    response.headers["Location"] = request.app.url_path_for("get_study", study_id=child.id)
    return StudyView.of(child)


@router.post("/{study_id}/cancel", status_code=202, responses=problems(404, 409))
def cancel_study(own: OwnStudyDep, store: StoreDep, settings: SettingsDep) -> StudyView:
    """Stop a study for good."""
    study = store.cancel_study(own.id)
    if study.state.is_final:  # otherwise its runner does so
        Checkpoints(settings.data_dir, study.id).drop_states()
    return StudyView.of(study)


@router.post("/{study_id}/pause", status_code=202, responses=problems(404, 409))
def pause_study(study: OwnStudyDep, store: StoreDep) -> StudyView:
    """Stop a study for now; what it measured is kept."""
    return StudyView.of(store.pause_study(study.id))


@router.post("/{study_id}/resume", status_code=202, responses=problems(404, 409))
def resume_study(study: OwnStudyDep, store: StoreDep) -> StudyView:
    """Continue a paused study."""
    check_no_import(study.spec.imported)
    return StudyView.of(store.resume_study(study.id))
