"""Comparisons of a study with other systems: each is a study of its own, which has the compared one as its parent."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from taskgraft.api.catalog import Catalog
from taskgraft.api.context import SettingsDep, StoreDep, StudyDep, TokenDep, problems
from taskgraft.api.routes.studies import IdempotencyKey
from taskgraft.api.schemas import ComparisonRequest, StudyList, StudyView
from taskgraft.search.comparison.beginning import begin_comparison, check_is_comparable, check_request
from taskgraft.search.comparison.plan import ComparisonPlan, plan_comparison
from taskgraft.search.store.studies import check_key
from taskgraft.search.study.comparison import comparison_spec
from taskgraft.search.study.nuisance import check_nuisance
from taskgraft.search.study.preparation import tasks_from_facts

router = APIRouter(prefix="/v1/studies/{study_id}/comparisons", tags=["studies"], responses=problems(404, 422, 503))

_PLAN: dict[int | str, dict[str, Any]] = {200: {"model": ComparisonPlan, "description": "dry run: what it would cost"}}


@router.post("", status_code=202, response_model=StudyView, responses=_PLAN | problems(400, 408, 409, 413, 415, 429))
def create_comparison(
    wanted: ComparisonRequest,
    study: StudyDep,
    request: Request,
    response: Response,
    store: StoreDep,
    settings: SettingsDep,
    token: TokenDep,
    *,
    dry_run: Annotated[bool, Query(description="say what it would cost, and queue nothing")] = False,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Queue a comparison of a study that has succeeded; or, with `dry_run`, return what it would cost.

    It trains every system that is asked for on the same data, steps and seeds, and takes over what is trained already.
    """
    check_key(idempotency_key)
    asked = check_request(study.spec, **wanted.model_dump())
    check_is_comparable(study)
    trials = store.ledger(study.id).trials()
    comparison = begin_comparison(study, trials, tasks_from_facts(study.facts) or (), asked)
    catalog = Catalog(store, settings, study.datasets)
    if dry_run:
        outline = catalog.check_unchanged(study, study.spec)
        return JSONResponse(plan_comparison(outline, comparison, trials, study.epochs).to_json())
    spec = comparison_spec(study.spec, study.epochs, study.device)
    if not store.knows_key(idempotency_key):
        check_nuisance(spec.reading(asked.nuisance), catalog.check_unchanged(study, spec).reports)
    created, _ = store.create_study(
        spec.reading(asked.nuisance),
        idempotency_key=idempotency_key,
        datasets=catalog.versions or study.datasets,
        parent=study.id,
        comparison=comparison,
        token=token,
    )
    response.headers["Location"] = request.app.url_path_for("get_study", study_id=created.id)
    return StudyView.of(created)


@router.get("")
def list_comparisons(
    study: StudyDep,
    store: StoreDep,
    limit: Annotated[int, Query(description="comparisons a page: 1 to 500")] = 50,
    cursor: Annotated[str | None, Query(description="the `next_cursor` of the page before")] = None,
) -> StudyList:
    """List the comparisons of a study, oldest first."""
    page = store.comparisons_of(study.id, limit, cursor)
    return StudyList(items=[StudyView.of(found) for found in page.items], next_cursor=page.next_cursor)
