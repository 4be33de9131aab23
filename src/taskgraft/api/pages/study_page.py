"""One study: its result in a sentence, its matrix, its tree, and what another threshold would give."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from taskgraft.api.context import FilesDep, StudyDep
from taskgraft.api.pages.matrix_table import MatrixTable
from taskgraft.api.pages.pictured import BothForms, picture
from taskgraft.api.pages.reading import Found, Reader, attempt
from taskgraft.api.pages.rendering import render
from taskgraft.api.pages.telling import Telling
from taskgraft.api.pages.threshold import (
    AtThreshold,
    Steps,
    TrainedAt,
    at_threshold,
    drawn,
    read_threshold,
    trained_trees,
)
from taskgraft.api.pages.tree_part import TreePart
from taskgraft.api.pictures import draw_tradeoff
from taskgraft.api.routes.files import list_artifacts
from taskgraft.api.schemas import StudyView, SummaryView
from taskgraft.api.tree_schemas import TradeoffView
from taskgraft.search.comparison.picture import draw_comparison
from taskgraft.search.study.study import Study

router = APIRouter(prefix="/studies/{study_id}", include_in_schema=False)

_SHOWN_TRAININGS = 10


@dataclass(frozen=True, slots=True)
class Slider:
    """What the slider of a study moves along; without a trade-off there is none, and ``problem`` says why."""

    tradeoff: TradeoffView | None
    steps: Steps | None
    trained: Sequence[TrainedAt]
    problem: str

    @classmethod
    async def of(cls, reader: Reader, study: Study, related: Sequence[SummaryView]) -> "Slider":
        """Return the slider of a study."""
        trained = trained_trees(StudyView.of(study), related)
        if study.result is None:
            return cls(None, None, trained, "")
        found = await attempt(reader.tradeoff())
        steps = Steps.of(found.value, trained) if found.value else None
        return cls(found.value, steps, trained, found.problem)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Return the thresholds at which it stops."""
        return self.steps.thresholds if self.steps else ()

    def threshold(self, step: int, own: float) -> float:
        """Return the threshold of a step, ``own`` if there is no slider."""
        return self.steps.thresholds[step] if self.steps else own


@router.get("")
async def study_page(
    study: StudyDep,
    files: FilesDep,
    request: Request,
    at: Annotated[str | None, Query(max_length=60)] = None,
    *,
    why: bool = False,
) -> Response:
    """Return the page of a study; ``at`` is the threshold of the slider, ``why`` asks why tasks part there."""
    reader, view = Reader(request, study), StudyView.of(study)
    if study.comparison:
        values = await _comparison(reader, view)
    else:
        values = await _search(reader, study, at, why=why)
    first = await reader.first_trials(_SHOWN_TRAININGS)
    return render(
        request,
        "comparison.html" if study.comparison else "study.html",
        study=view,
        telling=Telling(view),
        trainings=first.items,
        has_more=first.next_cursor is not None,
        events=await reader.events(),
        artifacts=(await run_in_threadpool(list_artifacts, files, request)).items,
        api=f"/v1/studies/{study.id}",
        **values,
    )


async def _search(reader: Reader, study: Study, at: str | None, *, why: bool) -> dict[str, Any]:
    matrix, related = await asyncio.gather(reader.matrix_soon(), reader.related())
    slider = await Slider.of(reader, study, related)
    asked = read_threshold(at, study.spec.ar_threshold)
    step = slider.steps.at(asked) if slider.steps else 0
    here = slider.threshold(step, study.spec.ar_threshold)
    why = why or here == study.spec.ar_threshold
    tree = await attempt(reader.tree(here, explained=why))
    table = None
    if matrix.value:
        table = await run_in_threadpool(MatrixTable.of, matrix.value, study.spec, here, slider.thresholds)
    has_comparisons = any(found.is_comparison for found in related)
    return {
        "matrix": table,
        "matrix_problem": matrix.problem,
        "related": [found for found in related if not found.is_comparison],
        "comparisons": [found for found in await reader.comparisons() if found.comparison] if has_comparisons else [],
        "is_asked_why": why,
        **await _parts(reader, slider, step, here, tree, asked),
    }


async def _parts(
    reader: Reader, slider: Slider, step: int, here: float, tree: Found[Any], asked: float | None = None
) -> dict[str, Any]:
    """Return what the parts of the page show that the slider moves."""
    at: AtThreshold | None = None
    if slider.steps and tree.value:
        at = at_threshold(slider.steps, step, tree.value, slider.trained, await reader.tree(), asked)
    return {
        "at": at,
        "tree": await run_in_threadpool(TreePart.of, tree.value) if tree.value else None,
        "tree_problem": tree.problem,
        "tradeoff": await run_in_threadpool(_draw_tradeoff, slider.tradeoff, here, slider.trained)
        if slider.tradeoff
        else None,
        "thresholds": slider.thresholds,
        "tradeoff_problem": slider.problem,
    }


def _draw_tradeoff(tradeoff: TradeoffView, here: float, trained: Sequence[TrainedAt]) -> BothForms:
    forms = [draw_tradeoff(tradeoff, mark=here, verified=drawn(trained), narrow=narrow) for narrow in (False, True)]
    return BothForms(*map(picture, forms))


async def _comparison(reader: Reader, view: StudyView) -> dict[str, Any]:
    found = view.comparison
    table = found.table if found else None
    return {"table": table, "drawing": picture(await run_in_threadpool(draw_comparison, table)) if table else None}


@router.get("/at")
async def moved(
    study: StudyDep, request: Request, at: Annotated[str, Query(max_length=60)], *, why: bool = False
) -> Response:
    """Return what changes as the slider moves to a threshold; with ``why``, also why the tasks of the tree part."""
    reader = Reader(request, study)
    slider = await Slider.of(reader, study, await reader.related())
    step = slider.steps.at(read_threshold(at, study.spec.ar_threshold)) if slider.steps else 0
    here = slider.threshold(step, study.spec.ar_threshold)
    tree = await attempt(reader.tree(here, explained=why))
    return render(
        request,
        "moved.html",
        study=StudyView.of(study),
        is_asked_why=why,
        **await _parts(reader, slider, step, here, tree),
    )
