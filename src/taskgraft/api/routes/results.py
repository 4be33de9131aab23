"""What a study has found: its trials, its reduction matrix, its trees."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from taskgraft.api.computing import Computations, while_connected
from taskgraft.api.context import PAGE, ComputationsDep, MatricesDep, StoreDep, StudyDep, problems
from taskgraft.api.cursors import read_trial_cursor, trial_cursor
from taskgraft.api.pictures import draw_tree
from taskgraft.api.schemas import MatrixView, TrialListPage, TrialView
from taskgraft.api.tree_schemas import TradeoffView, TreeView
from taskgraft.api.trial_schemas import TrialDetail
from taskgraft.errors import Conflict
from taskgraft.search.evidence.compared import compare_with
from taskgraft.search.evidence.verdict import summarize
from taskgraft.search.running.answering import TradeoffQuestion, TreeQuestion
from taskgraft.search.running.stored import kept_tree
from taskgraft.search.running.tradeoff import is_stepwise
from taskgraft.search.store import Store
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study

router = APIRouter(prefix="/v1/studies/{study_id}", tags=["results"], responses=problems(404, 422, 503))

_LARGEST_NUMBER = 2**31 - 1


def _also(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}}


@router.get("/trials")
def list_trials(
    study: StudyDep,
    store: StoreDep,
    limit: Annotated[int, Query(description="trials a page", json_schema_extra=PAGE)] = 100,
    cursor: Annotated[str | None, Query(description="the `next_cursor` of the page before", min_length=1)] = None,
) -> TrialListPage:
    """List the trainings that ended, in the order in which they ended; those that end meanwhile come last."""
    page = store.trials.page(study.id, read_trial_cursor(cursor), limit)
    errors = study.spec.errors
    return TrialListPage(
        items=[TrialView.of(compare_with(trial, page.baselines, errors)) for trial in page.items],
        next_cursor=None if page.next_after is None else trial_cursor(page.next_after),
    )


@router.get("/trials/{number}")
def get_trial(
    number: Annotated[int, Path(ge=0, le=_LARGEST_NUMBER, description="its number in the list")],
    study: StudyDep,
    store: StoreDep,
) -> TrialDetail:
    """Return one training: its learning curve beside the baselines, and how often it took which answer for which."""
    trial, baselines = store.trials.get(study.id, number)
    references = baselines.get((trial.training.repeat, trial.training.epochs), {})
    return TrialDetail.detailed(compare_with(trial, baselines, study.spec.errors), references)


@router.get("/matrix", response_model=MatrixView, responses=_also("text/csv"))
async def get_matrix(
    study: StudyDep,
    matrices: MatricesDep,
    request: Request,
    output: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """Return the reduction matrix as far as it is known, with intervals.

    While the study runs, its runner brings the matrix up to date after trainings: it may lag a little behind `trials`.
    """
    body = await while_connected(request, matrices.body(study, output))
    return Response(body, media_type="text/csv" if output == "csv" else "application/json")


@router.get("/tree", response_model=TreeView, responses=_also("image/svg+xml") | problems(409))
async def get_tree(
    study: StudyDep,
    store: StoreDep,
    computations: ComputationsDep,
    request: Request,
    ar_threshold: Annotated[float | None, Query(ge=0, lt=1, description="by default the study's own")] = None,
    output: Annotated[Literal["json", "svg"], Query(alias="format")] = "json",
) -> Any:
    """Return the study's tree; at another threshold, the one that the stored matrix gives. Nothing is trained."""
    kept = await run_in_threadpool(kept_tree, store, study, ar_threshold)
    document = kept or await _work_out_tree(study, store, computations, request, ar_threshold)
    if output != "svg":
        return document
    result = study.result if document == study.tree else None  # the verdict is about the delivered tree alone
    caption = summarize(result.verdict, result.ar, result.verified_for) if result else None
    return Response(await run_in_threadpool(draw_tree, document, caption), media_type="image/svg+xml")


async def _work_out_tree(
    study: Study, store: Store, computations: Computations, request: Request, ar_threshold: float | None
) -> Mapping[str, Any]:
    trials = await run_in_threadpool(store.trials.count, study.id)
    question = TreeQuestion(study.id, trials, ar_threshold, study.stage)
    document: Mapping[str, Any] = await while_connected(request, computations.answer(question))
    return document


@router.get("/tradeoff", responses=problems(409))
async def get_tradeoff(
    study: StudyDep, store: StoreDep, computations: ComputationsDep, request: Request
) -> TradeoffView:
    """Return every threshold at which the tree of a study that has succeeded changes, and what the trees cost."""
    if study.comparison or study.state is not State.SUCCEEDED:
        raise Conflict(f"study {study.id} is {study.state}: only a search that has succeeded has a trade-off")
    points = await run_in_threadpool(store.findings.tradeoff, study.id)
    if not points:
        await while_connected(request, computations.answer(TradeoffQuestion(study.id)))
        points = await run_in_threadpool(store.findings.tradeoff, study.id)
    return TradeoffView.of(points, exact=is_stepwise(study.spec))
