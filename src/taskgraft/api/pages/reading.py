"""What pages read: the same functions that answer the public HTTP routes, and nothing below them."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from taskgraft.api.computing import Computations
from taskgraft.api.events import Event, Position, read_batch
from taskgraft.api.matrices import Matrices
from taskgraft.api.routes import comparisons, results, studies
from taskgraft.api.schemas import MatrixView, StudyView, SummaryView, TrialListPage, TrialView
from taskgraft.api.tree_schemas import TradeoffView
from taskgraft.api.trial_schemas import TrialDetail
from taskgraft.errors import Conflict, InvalidInput, NotFound, Unavailable
from taskgraft.search.store import Store
from taskgraft.search.study.states import Stage
from taskgraft.search.study.study import Study
from taskgraft.space.matrix import ReductionMatrix

T = TypeVar("T")
Tree = Mapping[str, Any]

_PAST_PAIRS = frozenset(Stage) - {Stage.BASELINES, Stage.PAIRS}
_TREES_KEPT = 64
_SOON = 0.7
"""Seconds that a page waits for what has to be worked out."""
_PAGE = 500
_RELATED = 50
"""Studies at other thresholds, and comparisons, that a page shows at most."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What a part of a page shows; without a value, ``problem`` says why."""

    value: T | None = None
    problem: str = ""


async def attempt(answer: Awaitable[T]) -> Found[T]:
    """Return what is awaited; an error leaves the rest of the page as it is."""
    try:
        return Found(await answer)
    except (Conflict, InvalidInput, NotFound, Unavailable) as error:
        return Found(problem=str(error))


async def attempt_soon(answer: Awaitable[T], working: set[asyncio.Future[Any]]) -> Found[T]:
    """Return what is awaited if that takes no longer than people wait; otherwise it goes on, and is one of ``working``.

    A page that is asked for again later has it then.
    """
    task = asyncio.ensure_future(attempt(answer))
    done, _ = await asyncio.wait({task}, timeout=_SOON)
    if done:
        return task.result()
    working.add(task)
    task.add_done_callback(working.discard)
    return Found(problem="it is being worked out, and comes by itself")


class Reader:
    """Reads one study for one request."""

    def __init__(self, request: Request, study: Study) -> None:
        self._request = request
        self._study = study
        state = request.app.state
        self._store: Store = state.store
        self._computations: Computations = state.computations
        self._matrices: Matrices = state.matrices
        self._trees: dict[object, Tree] = state.shown_trees

    async def matrix_soon(self) -> Found[MatrixView]:
        """Return the reduction matrix, or that it is being worked out."""
        return await attempt_soon(self.matrix(), self._request.app.state.working)

    async def matrix(self) -> MatrixView:
        """Return the reduction matrix as far as it is known; nothing has to be worked out before the first training."""
        if not await self._trials():
            spec = self._study.spec
            return MatrixView.of(ReductionMatrix(spec.task_names, {}), spec.depths, 0)
        return MatrixView.model_validate_json(await self._matrices.body(self._study, "json"))

    async def tree(self, ar_threshold: float | None = None, *, explained: bool = True) -> Tree:
        """Return the tree form at a threshold.

        A page that keeps itself up to date asks again and again: a tree is worked out once for so many trainings.

        Raises:
            Conflict: there is no tree yet.
        """
        study = self._study
        if study.tree is None and study.stage not in _PAST_PAIRS:
            left = "were not all trained" if study.state.is_final else "are still to be trained"
            raise Conflict(f"its pairs {left}")
        trials = await self._trials()
        key = (study.id, study.state, study.stage, trials, ar_threshold, explained)
        if key not in self._trees:
            self._trees[key] = await results.get_tree(
                study, self._store, self._computations, self._request, ar_threshold, explained=explained
            )
            while len(self._trees) > _TREES_KEPT:
                del self._trees[next(iter(self._trees))]
        return self._trees[key]

    async def _trials(self) -> int:
        return await run_in_threadpool(self._store.trials.count, self._study.id)

    async def tradeoff(self) -> TradeoffView:
        """Return the trade-off.

        Raises:
            Conflict: the study has none.
        """
        return await results.get_tradeoff(self._study, self._store, self._computations, self._request)

    async def related(self) -> list[SummaryView]:
        """Return the studies that came from this one, newest first: other thresholds, and comparisons."""
        page = await run_in_threadpool(studies.list_studies, self._store, parent=self._study.id, limit=_RELATED)
        return page.items

    async def comparisons(self) -> list[StudyView]:
        """Return the comparisons of the study, oldest first."""
        page = await run_in_threadpool(comparisons.list_comparisons, self._study, self._store, _RELATED)
        return page.items

    async def first_trials(self, limit: int, cursor: str | None = None) -> TrialListPage:
        """Return a page of the trainings that ended, in the order in which they ended."""
        return await run_in_threadpool(results.list_trials, self._study, self._store, limit, cursor)

    async def events(self, most: int = 10) -> list[Event]:
        """Return the last events, newest first; the stream of the HTTP API has them all."""
        trials = await self._trials()
        position = Position(trials - most) if trials > most else Position()
        batch = await run_in_threadpool(read_batch, self._store, self._study.id, position, self._study.spec.errors)
        return list(reversed(batch.events))[:most]

    async def trials(self) -> list[TrialView]:
        """Return all trainings that ended."""
        return await run_in_threadpool(self._all_trials)

    def _all_trials(self) -> list[TrialView]:
        found: list[TrialView] = []
        cursor: str | None = None
        while True:
            page = results.list_trials(self._study, self._store, _PAGE, cursor)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def trial(self, number: int) -> TrialDetail:
        """Return one training with its learning curve.

        Raises:
            NotFound: the study has no such training.
        """
        return await run_in_threadpool(results.get_trial, number, self._study, self._store)
