"""The trainings of a study: a page of them, one of them, and those behind a cell of the matrix."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from markupsafe import Markup

from taskgraft.api.artifacts import find
from taskgraft.api.context import FilesDep, StudyDep
from taskgraft.api.pages.pictured import picture
from taskgraft.api.pages.reading import Reader
from taskgraft.api.pages.rendering import render
from taskgraft.api.pictures import draw_confusion, draw_curves, is_baseline_of
from taskgraft.api.schemas import StudyView, TrialView
from taskgraft.api.trial_schemas import TrialDetail
from taskgraft.errors import NotFound
from taskgraft.evaluators import bundle
from taskgraft.search.study.study import Study
from taskgraft.space.tree import BranchTree

router = APIRouter(prefix="/studies/{study_id}", include_in_schema=False)

_LARGEST_NUMBER = 2**31 - 1
_PAGE = 100
_DRAWN = 4
"""Trainings behind one cell whose curves are drawn."""


@router.get("/trainings")
async def trainings_page(
    study: StudyDep, request: Request, cursor: Annotated[str | None, Query(min_length=1, max_length=40)] = None
) -> Response:
    """Return a page of the trainings that ended."""
    page = await Reader(request, study).first_trials(_PAGE, cursor)
    return render(
        request,
        "trainings.html",
        study=StudyView.of(study),
        trainings=page.items,
        next_cursor=page.next_cursor,
        is_first=cursor is None,
    )


@router.get("/trainings/{number}")
async def training_page(
    study: StudyDep, files: FilesDep, request: Request, number: Annotated[int, Path(ge=0, le=_LARGEST_NUMBER)]
) -> Response:
    """Return one training: its learning curves beside the baselines, and what it took for what."""
    reader = Reader(request, study)
    detail = await reader.trial(number)
    labels = await run_in_threadpool(_labels, files)
    confusions = await run_in_threadpool(_confusions, detail, labels)
    curves = await _curves(reader, detail, await reader.trials())
    return render(
        request, "training.html", study=StudyView.of(study), training=detail, curves=curves, confusions=confusions
    )


@router.get("/cell")
async def cell_page(
    study: StudyDep,
    request: Request,
    a: Annotated[int, Query(ge=0)],
    b: Annotated[int, Query(ge=0)],
    d: Annotated[int, Query(ge=0)],
) -> Response:
    """Return the trainings in which the tasks at places ``a`` and ``b`` shared ``d`` blocks.

    Raises:
        NotFound: there is no such pair of tasks.
    """
    names = study.spec.task_names
    if not a < b < len(names):
        raise NotFound(f"study {study.id} has no pair of the tasks {a} and {b}")
    reader = Reader(request, study)
    trials = await reader.trials()
    found = _behind(study, trials, (names[a], names[b]), d)
    details = [await reader.trial(trial.number) for trial in found[:_DRAWN]]
    shown = [(detail, await _curves(reader, detail, trials)) for detail in details]
    return render(
        request, "cell.html", study=StudyView.of(study), pair=(names[a], names[b]), depth=d, found=found, shown=shown
    )


def _behind(study: Study, trials: Sequence[TrialView], pair: tuple[str, str], depth: int) -> list[TrialView]:
    """Return the trainings in which both tasks shared so many blocks, the smallest models first."""
    blocks = study.spec.encoder.depth

    def shares(trial: TrialView) -> bool:
        if trial.trunk or not set(pair) <= set(trial.tasks):
            return False
        return BranchTree.from_json(trial.tree, blocks).shared_depth(*pair) == depth

    return sorted(filter(shares, trials), key=lambda trial: (len(trial.tasks), trial.number))


def _labels(files: pathlib.Path) -> dict[str, Sequence[str]]:
    """Return the names of classes by task, as the bundle has them; nothing before there is one."""
    try:
        return bundle.class_names(json.loads(find(files, bundle.LABELS).read_text(encoding="utf-8")))
    except (NotFound, OSError):
        return {}


async def _curves(reader: Reader, detail: TrialDetail, trials: Sequence[TrialView]) -> Markup:
    """Return the learning curves of a training beside those of its tasks' baselines."""
    baselines = [await reader.trial(trial.number) for trial in trials if is_baseline_of(trial, detail)]
    return await run_in_threadpool(lambda: picture(draw_curves(detail, baselines)))


def _confusions(detail: TrialDetail, labels: Mapping[str, Sequence[str]]) -> list[Markup]:
    found = detail.confusion.items()
    return [picture(draw_confusion(task, counts, labels.get(task))) for task, counts in found if counts]
