"""What there is to watch: of the database, which all replicas share, and of this process."""

import asyncio
import time
from collections.abc import Iterator, Mapping

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool

from taskgraft.api.context import StoreDep, problems
from taskgraft.api.routes.service import RUNNER_SILENCE
from taskgraft.search.store import Store
from taskgraft.search.store.census import Census
from taskgraft.search.study.dataset import DatasetState
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import TrialState

router = APIRouter(tags=["service"])

_FRESH_SECONDS = 5.0


class _OfDatabase(Collector):
    """The metrics of a census."""

    def __init__(self, census: Census) -> None:
        self._census = census

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        yield from _of_database(self._census)


class Metrics:
    """What `/metrics` of one service shows. The database is asked at most once in a few seconds, whoever asks.

    ``of_process`` has the metrics of this process.
    """

    def __init__(self, of_process: CollectorRegistry) -> None:
        self._of_process = of_process
        self._census: tuple[float, Census] | None = None
        self._asking = asyncio.Lock()

    async def text(self, store: Store) -> bytes:
        """Return all metrics.

        Raises:
            Unavailable: the database fails.
        """
        async with self._asking:
            if self._census is None or time.monotonic() - self._census[0] > _FRESH_SECONDS:
                self._census = (time.monotonic(), await run_in_threadpool(store.census))
        of_database = CollectorRegistry(auto_describe=False)
        of_database.register(_OfDatabase(self._census[1]))
        return generate_latest(of_database) + generate_latest(self._of_process)


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(503)},
    response_class=Response,
)
async def metrics(request: Request, store: StoreDep) -> Response:
    """Queue, studies, trials, training time, takeovers, runners and requests, in the text format of Prometheus."""
    found: Metrics = request.app.state.metrics
    return Response(await found.text(store), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _of_database(census: Census) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "taskgraft_queue_length", "Studies that wait for a runner.", census.studies.get(State.QUEUED, 0)
    )
    studies = {state.value: census.studies.get(state, 0) for state in State}
    yield _gauges("taskgraft_studies", "Studies by their state.", "state", studies)
    trials = {state.value: census.trials.get(state, 0) for state in TrialState}
    yield _gauges("taskgraft_trials", "Trials that have ended, of all studies, by their state.", "state", trials)
    datasets = {state.value: census.datasets.get(state, 0) for state in DatasetState}
    yield _gauges("taskgraft_datasets", "Versions of registered datasets by their state.", "state", datasets)
    yield GaugeMetricFamily(
        "taskgraft_training_seconds",
        "Seconds that all trials trained; one that was taken over counts in both studies.",
        census.training_seconds,
    )
    yield GaugeMetricFamily("taskgraft_busy_seconds", "Seconds that runners have held studies.", census.busy_seconds)
    yield GaugeMetricFamily(
        "taskgraft_takeovers", "How often a runner took a study from another that was gone.", census.takeovers
    )
    alive = sum(silence <= RUNNER_SILENCE.total_seconds() for silence in census.runner_silence)
    yield GaugeMetricFamily("taskgraft_runners", "Runners that have shown themselves lately.", alive)
    if census.runner_silence:
        yield GaugeMetricFamily(
            "taskgraft_runner_silence_seconds",
            "Seconds since any runner has shown itself.",
            min(census.runner_silence),
        )


def _gauges(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    """Return a metric of one number for each value of a label."""
    metric = GaugeMetricFamily(name, meaning, labels=[label])
    for of, value in values.items():
        metric.add_metric([of], value)
    return metric
