"""What there is to watch: of the database, which all replicas share, and of this process."""

import asyncio
import time
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from taskgraft.api.context import StoreDep, problems
from taskgraft.api.exposition import MEDIA_TYPE, Histogram, Metric, gauge, gauges, render
from taskgraft.api.routes.service import RUNNER_SILENCE
from taskgraft.search.store import Store
from taskgraft.search.store.census import Census
from taskgraft.search.study.dataset import DatasetState
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import TrialState

router = APIRouter(tags=["service"])

_FRESH_SECONDS = 5.0


class Metrics:
    """What `/metrics` of one service shows. The database is asked at most once in a few seconds, whoever asks."""

    def __init__(self, seconds: Histogram) -> None:
        self._seconds = seconds
        self._census: tuple[float, Census] | None = None
        self._asking = asyncio.Lock()

    async def text(self, store: Store) -> str:
        """Return all metrics.

        Raises:
            Unavailable: the database fails.
        """
        async with self._asking:
            if self._census is None or time.monotonic() - self._census[0] > _FRESH_SECONDS:
                self._census = (time.monotonic(), await run_in_threadpool(store.census))
        return render([*_of_database(self._census[1]), self._seconds.metric()])


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(503)},
    response_class=Response,
)
async def metrics(request: Request, store: StoreDep) -> Response:
    """Queue, studies, trials, training time, takeovers, runners and requests, in the text format of Prometheus."""
    found: Metrics = request.app.state.metrics
    return Response(await found.text(store), media_type=MEDIA_TYPE)


def _of_database(census: Census) -> Iterator[Metric]:
    yield gauge("taskgraft_queue_length", "Studies that wait for a runner.", census.studies.get(State.QUEUED, 0))
    studies = {state.value: census.studies.get(state, 0) for state in State}
    yield gauges("taskgraft_studies", "Studies by their state.", "state", studies)
    trials = {state.value: census.trials.get(state, 0) for state in TrialState}
    yield gauges("taskgraft_trials", "Trials that have ended, of all studies, by their state.", "state", trials)
    datasets = {state.value: census.datasets.get(state, 0) for state in DatasetState}
    yield gauges("taskgraft_datasets", "Versions of registered datasets by their state.", "state", datasets)
    yield gauge(
        "taskgraft_training_seconds",
        "Seconds that all trials trained; one that was taken over counts in both studies.",
        census.training_seconds,
    )
    yield gauge("taskgraft_busy_seconds", "Seconds that runners have held studies.", census.busy_seconds)
    yield gauge("taskgraft_takeovers", "How often a runner took a study from another that was gone.", census.takeovers)
    alive = sum(silence <= RUNNER_SILENCE.total_seconds() for silence in census.runner_silence)
    yield gauge("taskgraft_runners", "Runners that have shown themselves lately.", alive)
    if census.runner_silence:
        yield gauge(
            "taskgraft_runner_silence_seconds",
            "Seconds since any runner has shown itself.",
            min(census.runner_silence),
        )
