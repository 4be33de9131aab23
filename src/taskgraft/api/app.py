"""The HTTP application: routes, problem details and the store put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from taskgraft.api import docs, handlers
from taskgraft.api.context import problems
from taskgraft.api.routes import comparisons, datasets, files, metrics, results, service, studies
from taskgraft.api.settings import Settings
from taskgraft.api.uploads import sweep
from taskgraft.api.watching import WatchRequests, request_seconds
from taskgraft.evaluators.datasets.registry import KNOWN
from taskgraft.search.store import Store


def create_app(settings: Settings) -> FastAPI:
    """Return the application over the store that ``settings`` name; it opens the store at startup, and never trains."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Store(settings.database_url) as store:
            app.state.store = store
            sweep(settings.data_dir, store)
            for known in KNOWN.values():
                known.report()  # from now on it is known; five first requests at once would each work it out
            yield

    app = FastAPI(
        title="Taskgraft",
        version="1",
        summary="Finds, trains and proves the one tree-shaped audio model that answers all of a device's questions.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=problems(500),
        separate_input_output_schemas=False,
    )
    app.state.settings = settings
    handlers.install(app, settings.upload_bytes)
    seconds = request_seconds()
    app.state.metrics = metrics.Metrics(seconds)
    app.add_middleware(WatchRequests, seconds=seconds)
    for routes in (studies, comparisons, results, files, datasets, service, metrics):
        app.include_router(routes.router)
    docs.install(app)
    return app
