"""What a study has found: its trials, its reduction matrix, its tree."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from taskgraft.api.context import StoreDep, StudyDep, problems
from taskgraft.api.drawing import draw_tree
from taskgraft.api.schemas import MatrixView, TrialList
from taskgraft.api.tree_schemas import TreeView
from taskgraft.search.evidence.verdict import summarize
from taskgraft.search.running.findings import find_matrix, find_tree

router = APIRouter(prefix="/v1/studies/{study_id}", tags=["results"], responses=problems(404, 422, 503))


def _also(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}}


@router.get("/trials")
def list_trials(study: StudyDep, store: StoreDep) -> TrialList:
    """List every training that ended, in the order in which they ended."""
    return TrialList.of(store.ledger(study.id).trials(), study.spec)


@router.get("/matrix", response_model=MatrixView, responses=_also("text/csv"))
def get_matrix(
    study: StudyDep, store: StoreDep, output: Annotated[Literal["json", "csv"], Query(alias="format")] = "json"
) -> Any:
    """Return the reduction matrix as far as it is known, with intervals."""
    matrix = find_matrix(study.spec, store.ledger(study.id).trials())
    if output == "csv":
        return Response(matrix.to_csv(), media_type="text/csv")
    return MatrixView.of(matrix, study.spec.depths)


@router.get("/tree", response_model=TreeView, responses=_also("image/svg+xml") | problems(409))
def get_tree(
    study: StudyDep,
    store: StoreDep,
    ar_threshold: Annotated[float | None, Query(ge=0, lt=1, description="by default the study's own")] = None,
    output: Annotated[Literal["json", "svg"], Query(alias="format")] = "json",
) -> Any:
    """Return the study's tree; at another threshold, the one that the stored matrix gives. Nothing is trained."""
    document = find_tree(study, store.ledger(study.id).trials(), ar_threshold)
    if output != "svg":
        return document
    result = study.result if document == study.tree else None  # the verdict is about the delivered tree alone
    caption = summarize(result.verdict, result.ar, result.verified_for) if result else None
    return Response(draw_tree(document, caption), media_type="image/svg+xml")
